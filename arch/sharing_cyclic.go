package arch

func init() { Sharings.Add("cyclic", cyclic) }

// cyclic runs all blocks in order, then all of them again: 3 blocks, repeat 2
// give 0 1 2 0 1 2. MobileLLM calls it repeat-all-over (figure 6 c).
func cyclic(blocks, repeat int) []int {
	order := make([]int, blocks*repeat)
	for layer := range order {
		order[layer] = layer % blocks
	}
	return order
}
