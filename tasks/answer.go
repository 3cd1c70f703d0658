package tasks

import (
	"regexp"
	"strings"
)

// best is the most that answer is worth beside any of the right ones.
func best(answer string, right []string, worth func(answer, right string) float64) float64 {
	most := 0.0
	for _, one := range right {
		most = max(most, worth(answer, one))
	}
	return most
}

// asciiPunctuation is Python's string.punctuation.
const asciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// matchPlain is 1 for texts that are equal in lower case without ASCII
// punctuation: exact_match of lm-evaluation-harness. Articles and spaces count.
func matchPlain(answer, right string) float64 {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(asciiPunctuation, r) {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	return oneIf(plain(answer) == plain(right))
}

// matchWords is 1 for texts of the same words: exact match of TriviaQA's own
// evaluation.
func matchWords(answer, right string) float64 {
	return oneIf(strings.Join(words(answer), " ") == strings.Join(words(right), " "))
}

// wordF1 is the harmonic mean of the shares of words that the texts have in
// common, each as often as it is in both: F1 of TriviaQA's own evaluation.
func wordF1(answer, right string) float64 {
	a, b := words(answer), words(right)
	count := map[string]int{}
	for _, word := range b {
		count[word]++
	}
	common := 0.0
	for _, word := range a {
		if count[word] > 0 {
			count[word]--
			common++
		}
	}
	if common == 0 {
		return 0
	}
	precision, recall := common/float64(len(a)), common/float64(len(b))
	return 2 * precision * recall / (precision + recall)
}

var articles = regexp.MustCompile(`\b(a|an|the)\b`)

// words normalises as TriviaQA's own evaluation does: lower case, punctuation
// and underscores to spaces, no articles.
func words(s string) []string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(asciiPunctuation+"‘’´", r) {
			return ' '
		}
		return r
	}, strings.ToLower(s))
	return strings.FieldsFunc(articles.ReplaceAllString(s, " "), IsSpace)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
