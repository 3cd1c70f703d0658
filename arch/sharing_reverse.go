package arch

func init() { Sharings.Add("reverse", reverse) }

// reverse turns round at each pass: 3 blocks, repeat 3 give 0 1 2 2 1 0 0 1 2
// (MobileLLM, figure 6 d, which shows two passes).
func reverse(blocks, repeat int) []int {
	order := make([]int, blocks*repeat)
	for layer := range order {
		pass, block := layer/blocks, layer%blocks
		if pass%2 == 1 {
			block = blocks - 1 - block
		}
		order[layer] = block
	}
	return order
}
