package tokenizer

// gpt2Pattern is what gpt2Word implements. The look-ahead leaves the last space
// of a run to the word after it (Radford et al. 2019, encoder.py).
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// gpt2Word scans for gpt2Pattern.
func gpt2Word(w *words) int {
	start := w.at
	if n := contraction(w.text[start:]); n > 0 {
		return start + n
	}
	kind, width := w.look(start)
	if w.text[start] == ' ' && start+1 < len(w.text) {
		if after, afterWidth := w.look(start + 1); after != space {
			kind, width = after, 1+afterWidth
		}
	}
	if kind == space {
		return w.spaces(start)
	}
	return w.skip(kind, start+width)
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s, or 0.
func contraction(s string) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch s[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}
