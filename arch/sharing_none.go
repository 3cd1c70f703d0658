package arch

func init() { Sharings.Add(NoSharing, none) }

// none gives every layer a block of its own: 3 blocks give 0 1 2. It takes no
// repeat count, and Config.Validate sees to it that none is given.
func none(blocks, _ int) []int {
	order := make([]int, blocks)
	for layer := range order {
		order[layer] = layer
	}
	return order
}
