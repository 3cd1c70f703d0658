package arch

import "slices"

func init() { Sharings.Add("immediate", immediate) }

// immediate runs each block repeat times in a row, so that its weights are
// still in cache the second time: 3 blocks, repeat 2 give 0 0 1 1 2 2. It is
// what MobileLLM-LS does (arXiv 2402.14905v2, figure 6 b).
func immediate(blocks, repeat int) []int {
	order := make([]int, 0, blocks*repeat)
	for block := range blocks {
		order = append(order, slices.Repeat([]int{block}, repeat)...)
	}
	return order
}
