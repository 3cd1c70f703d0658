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
	Accuracies.Add("acc_bytes", ByBytes)
	Accuracies.Add("acc_tokens", ByTokens)
	Accuracies.Add("acc_tokens_late", ByTokensLate)
}

// BySum picks the most likely continuation.
func BySum(choices []Choice) int {
	return argmax(choices, func(c Choice) float64 { return c.Sum })
}

// ByLength picks the continuation that is most likely per code point.
func ByLength(choices []Choice) int {
	return argmax(choices, func(c Choice) float64 { return c.Sum / float64(max(1, c.Length)) })
}

// ByBytes picks the continuation that is most likely per UTF-8 byte.
func ByBytes(choices []Choice) int {
	return argmax(choices, func(c Choice) float64 {
		bytes := c.Bytes
		if bytes == 0 {
			bytes = c.Length
		}
		return c.Sum / float64(max(1, bytes))
	})
}

// ByTokens picks the continuation that is most likely per scored token, as
// llama.cpp does.
func ByTokens(choices []Choice) int { return argmax(choices, perToken) }

// ByTokensLate is ByTokens but for a tie, of which it takes the last, as
// llama.cpp does for WinoGrande.
func ByTokensLate(choices []Choice) int {
	best := 0
	for i, c := range choices {
		if perToken(c) >= perToken(choices[best]) {
			best = i
		}
	}
	return best
}

func perToken(c Choice) float64 { return c.Sum / float64(max(1, c.Tokens)) }

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
