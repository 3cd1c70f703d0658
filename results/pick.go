package results

import (
	"math"

	"plumb/internal/registry"
)

// A Pick chooses one of the choices of an item by their scores and returns its
// index. Of equal choices it takes the first, as the reference harness does.
type Pick func(choices []Choice) int

// Accuracies holds the ways to pick an answer, by the name of their metric.
var Accuracies = registry.New[Pick]("accuracy")

func init() {
	Accuracies.Add("acc", BySum)
	Accuracies.Add("acc_norm", ByLength)
}

// BySum picks the most likely continuation.
func BySum(choices []Choice) int {
	return argmax(choices, func(c Choice) float64 { return c.Sum })
}

// ByLength picks the continuation that is most likely per code point.
func ByLength(choices []Choice) int {
	return argmax(choices, func(c Choice) float64 { return c.Sum / float64(max(1, c.Length)) })
}

// argmax returns the index of the largest value, the lowest of equal ones.
func argmax(choices []Choice, value func(Choice) float64) int {
	best, bestValue := 0, math.Inf(-1)
	for i, c := range choices {
		if v := value(c); v > bestValue {
			best, bestValue = i, v
		}
	}
	return best
}
