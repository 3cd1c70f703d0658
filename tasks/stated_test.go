package tasks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// statedTasks are those of testdata/stated.toml by name.
func statedTasks(t testing.TB) map[string]Task {
	t.Helper()
	text, err := os.ReadFile("testdata/stated.toml")
	if err != nil {
		t.Fatal(err)
	}
	stated, err := ParseStated(text)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Task{}
	for _, s := range stated {
		if all[s.Name], err = s.Task(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// statedRows have one good row for each of them.
var statedRows = map[string]string{
	"copa":  `{"idx":7,"premise":" It rained. ","question":"effect","choice1":"We got wet.","choice2":"The SUN set.","label":0}`,
	"quiz":  `{"q":{"stem":"What barks?","choices":[{"text":"a cat","label":"A"},{"text":"a dóg","label":"B"},{"text":"a 3","label":"C"}]},"answer":"B"}`,
	"blank": `{"before":"The","words":["cat","dog"],"after":" barked.","answer":"2"}`,
}

// TestStatedTasks shows what is seen and scored of a row of each.
func TestStatedTasks(t *testing.T) {
	for name, task := range statedTasks(t) {
		t.Run(name, func(t *testing.T) {
			item, err := task.parseRow(Row{Line: []byte(statedRows[name])})
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/stated_"+name+".golden", show([]Item{item}))
		})
	}
}

func TestBadRowsOfStatedTasks(t *testing.T) {
	tests := []struct{ name, task, from, to, want string }{
		{"missing field", "copa", `"premise"`, `"premises"`, `no field "premise"`},
		{"not a text", "copa", `"choice1":"We got wet."`, `"choice1":{}`, `field "choice1" is no text`},
		{"empty choice", "copa", `"We got wet."`, `""`, "choice 0 is empty"},
		{"label out of range", "copa", `"label":0`, `"label":2`, `label "2" is not a whole number from 0 to 1`},
		{"label counts from one", "blank", `"2"`, `"0"`, `answer "0" is not a whole number from 1 to 2`},
		{"no identity", "copa", `"idx":7,`, "", `no field "idx"`},
		{"unknown label", "quiz", `"answer":"B"`, `"answer":"D"`, `answer "D" is none of the labels`},
		{"one choice", "quiz", `[{"text":"a cat","label":"A"},{"text":"a dóg","label":"B"},{"text":"a 3","label":"C"}]`, `[{"text":"a","label":"B"}]`, "1 choices, not 2 to 256"},
		{"no list", "quiz", `"choices":[{"text":"a cat","label":"A"},{"text":"a dóg","label":"B"},{"text":"a 3","label":"C"}]`, `"choices":{"text":"a"}`, `field "q.choices.text" is no list`},
		{"field of some only", "quiz", `"a cat","label":"A"`, `"a cat"`, `no field "q.choices.label"`},
		{"element that is not there", "blank", `["cat","dog"]`, `["cat"]`, `no field "words.1"`},
		{"no object", "copa", `{`, `[`, "not a JSON object"},
	}
	all := statedTasks(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := strings.Replace(statedRows[test.task], test.from, test.to, 1)
			_, err := all[test.task].parseRow(Row{Line: []byte(line)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", line, err, test.want)
			}
		})
	}
}

func TestBadStatements(t *testing.T) {
	text, err := os.ReadFile("testdata/stated.toml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, from, to, want string }{
		{"no TOML", `name       = "copa"`, `name = `, "line 4"},
		{"unknown key", "context    =", "contxt =", "unknown key task.contxt"},
		{"no context", `context    = "{premise|strip} {{{question}}}"`, "", "give context, or contexts"},
		{"name", `"copa"`, `"Co Pa"`, "a name has small letters"},
		{"a task of that name", `"copa"`, `"piqa"`, "there is one of this name"},
		{"a second name", `"copa"`, `"siqa"`, "there is one of this name"},
		{"a group", `"copa"`, `"csr"`, "there is one of this name"},
		{"twice", `"quiz"`, `"copa"`, `"copa" is stated twice`},
		{"metric", `["acc", "acc_bytes"]`, `["f1"]`, `no metric "f1"`},
		{"one choice", `choices    = ["{choice1}", "{choice2|lower}"]`, `choices = ["x"]`, "at least two choices"},
		{"choices twice", `choices_in = "q.choices.text"`, "choices_in = \"x\"\nchoices = [\"a\", \"b\"]", "give choices, or choices_in"},
		{"contexts and choices", `choices    = ["{after}"]`, `choices = ["a", "b", "c"]`, "contexts need as many choices"},
		{"no gold", `gold       = "label"`, "", "gold names the field"},
		{"brace", "{premise|strip}", "{premise", "a single {"},
		{"closing brace", "{premise|strip}", "premise}", "a single }"},
		{"no field", "{premise|strip}", "{}", "braces without a field"},
		{"function", "|strip", "|stripe", `did you mean "strip"?`},
		{"no files", `files      = ["copa/val.jsonl"]`, "", "no files to look for"},
		{"nothing", string(text), "", "no [[task]]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Replace(string(text), test.from, test.to, 1)
			if _, err := ParseStated([]byte(changed)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestAddFileNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := AddFile(filepath.Join(dir, "none.toml")); err == nil || !strings.Contains(err.Error(), "no file or folder of tasks") {
		t.Error(err)
	}
	if err := AddFile(dir); err == nil || !strings.Contains(err.Error(), "holds no .toml file") {
		t.Error(err)
	}
	file := write(t, dir, "bad.toml", "[[task]]\nname = 'x'")
	if err := AddFile(dir); err == nil || !strings.HasPrefix(err.Error(), file+":\n") {
		t.Error(err)
	}
	write(t, dir, "bad.toml", strings.Repeat("#", maxStatedBytes+1))
	if err := AddFile(dir); err == nil || !strings.Contains(err.Error(), "more than the") {
		t.Error(err)
	}
}

// FuzzStated reads statements, and a row by each that is one.
func FuzzStated(f *testing.F) {
	text, err := os.ReadFile("testdata/stated.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, row := range statedRows {
		f.Add(text, []byte(row))
	}
	f.Add([]byte("[[task]]\nname = 'x'\nabout = 'a'\nversion = '1'\nsplit = 's'\nfiles = ['f']\ncontext = 'c'\nchoices_in = 'a.0.b'\ngold = 'g'"), []byte(`{"a":[{"b":["x","y"]}],"g":0}`))
	f.Fuzz(func(t *testing.T, text, row []byte) {
		if len(text) > maxStatedBytes {
			return
		}
		stated, err := ParseStated(text)
		if err != nil {
			return
		}
		for _, s := range stated {
			task, err := s.Task()
			if err != nil {
				t.Fatal(err)
			}
			item, err := task.parseRow(Row{Line: row})
			if err == nil && (len(item.Choices) < 2 || item.Gold < 0 || item.Gold >= len(item.Choices)) {
				t.Errorf("%q gives %+v", row, item)
			}
		}
	})
}
