package main

import (
	"bytes"
	"testing"

	"plumb/results"
)

func TestVisibleText(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "a cat sat", "a cat sat"},
		{"nothing", "", "(empty)"},
		{"edges", " a b ", "·a b·"},
		{"doubled", "a  b", "a··b"},
		{"a space alone", " ", "·"},
		{"breaks", "a\n\tb", "a⏎⇥b"},
		{"shapeless", "a\u00a0\u200bb", `a\u00a0\u200bb`},
		{"escape", "\x1b[31m", `\x1b[31m`},
		{"other scripts", "日本 é", "日本 é"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := visibleText(test.text); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := visibleBytes("a \xc3é\xff"); got != `a·\xc3é\xff` {
		t.Errorf("bytes: %q", got)
	}
}

// TestTextWriter passes on whole characters, whatever tokens cut.
func TestTextWriter(t *testing.T) {
	tests := []struct {
		name    string
		pieces  []string
		visible bool
		want    []string // what has been written after each piece
	}{
		{"letters", []string{"a", "bc"}, false, []string{"a", "abc"}},
		{"cut character", []string{"a\xe6", "\x97", "\xa5b"}, false, []string{"a", "a", "a日b"}},
		{"broken", []string{"\xe6", "a"}, false, []string{"", "\xe6a"}},
		{"terminal", []string{"\x1b[2J\n"}, true, []string{"\\x1b[2J\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			w := &textWriter{w: &out, visible: test.visible}
			for i, piece := range test.pieces {
				w.add(piece)
				if out.String() != test.want[i] {
					t.Errorf("after %q: %q, want %q", piece, out.String(), test.want[i])
				}
			}
			w.finish()
			if want := test.want[len(test.want)-1] + "\n"; out.String() != want {
				t.Errorf("%q, want %q", out.String(), want)
			}
		})
	}
}

// TestScoresThatAreNoNumbers are shown as such, never as zero.
func TestScoresThatAreNoNumbers(t *testing.T) {
	scores := score{Model: "=m", Task: "x|y", Version: "1.0", BOS: "always"}.invalid([]string{"acc"}, "log-probability is NaN")
	tests := map[string]string{
		"text": "=m, context of 0 tokens, bos always\n\n" +
			"task  version  shots  metric     value    stderr  n  chance  computed\n" +
			"───────────────────────────────────────────────────────────────────────\n" +
			"x|y   1.0      0      acc (a)  invalid            0\n\n(a) log-probability is NaN\n",
		"csv": "model,task,version,shots,metric,value,unit,stderr,n,chance,truncated,unscored,bos,context,status,note,protocol,tokens_requested,tokens_computed\n" +
			"'=m,x|y,1.0,0,acc,,,,0,,0,0,always,0,invalid,log-probability is NaN,,0,0\n",
		"markdown": "| task | version | shots | metric | value |  | stderr | n | chance | computed |\n" +
			"| --- | --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: |\n" +
			"| x\\|y | 1.0 | 0 | acc (a) | invalid |  |  | 0 |  |  |\n\n\\=m, context of 0 tokens, bos always  \n(a) log-probability is NaN\n",
		"lm-eval": "plumb (pretrained==m), gen_kwargs: (None), limit: None, num_fewshot: None, batch_size: 0\n" +
			"|Tasks|Version|Filter|n-shot|Metric| |Value| |Stderr|\n" +
			"|-----|------:|------|-----:|------|-|----:|-|-----:|\n" +
			"|x|y  |    1.0|none  |     0|acc   |↑|  nan|±|   N/A|\n",
	}
	for _, name := range scoreFormats.Names() {
		want, ok := tests[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			write, err := scoreFormats.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := write(newApp(nil, &out, &out), &out, scores, evalOptions{}); err != nil {
				t.Fatal(err)
			}
			if out.String() != want {
				t.Errorf("%s\nwant\n%s", out.String(), want)
			}
		})
	}
	if err := invalidScores(scores); statusOf(err) != statusIncomplete {
		t.Errorf("status %d for %v", statusOf(err), err)
	}
	if err := invalidScores([]score{{Status: results.StatusOK}}); err != nil {
		t.Error(err)
	}
}
