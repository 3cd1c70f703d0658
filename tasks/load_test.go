package tasks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const goodWinoGrande = `{"qID":"q","sentence":"The _ fits.","option1":"a","option2":"b","answer":"1"}`

// write makes a file below dir and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryListedFileIsFound(t *testing.T) {
	for _, name := range fileTasks() {
		task, _ := All.Get(name)
		for _, file := range task.Files {
			t.Run(file, func(t *testing.T) {
				dir := t.TempDir()
				source := testFileLike(name, file)
				path := write(t, dir, file, read(t, source))
				if task.Labelled {
					write(t, dir, labelFile(file), read(t, labelFile(source)))
				}
				if _, from, err := Load(name, Source{Dir: dir}); err != nil || from.File != path {
					t.Errorf("read %q, %v", from.File, err)
				}
			})
		}
	}
}

func TestMissingFileListsEveryPath(t *testing.T) {
	for _, name := range fileTasks() {
		task, _ := All.Get(name)
		_, _, err := Load(name, Source{Dir: "nowhere"})
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		for _, file := range task.Files {
			if path := filepath.Join("nowhere", filepath.FromSlash(file)); !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %s is not in: %v", name, path, err)
			}
		}
	}
}

func TestOverrideWins(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "winogrande/dev.jsonl", "not read")
	own := write(t, dir, "own.jsonl", goodWinoGrande+"\n\n"+goodWinoGrande)
	src, err := ParseSource([]string{dir, "winogrande=" + own})
	if err != nil {
		t.Fatal(err)
	}
	items, from, err := Load("winogrande", src)
	if err != nil || from.File != own || from.Rows != 2 {
		t.Fatalf("%+v, %v", from, err)
	}
	if items[0].ID != "q" || items[1].ID != "q#2" {
		t.Errorf("identities %q and %q", items[0].ID, items[1].ID)
	}
	src.Limit = 1
	if items, from, err = Load("winogrande", src); len(items) != 1 || from.Rows != 2 || err != nil {
		t.Errorf("limit 1: %d items, %+v, %v", len(items), from, err)
	}
}

func TestBadInput(t *testing.T) {
	tests := []struct {
		name, task, text string
		want             []string // parts of the error after the path
	}{
		{"empty file", "winogrande", "\n", []string{": no rows"}},
		{"not JSON", "winogrande", goodWinoGrande + "\n{", []string{":2: unexpected end of JSON input"}},
		{"cut line", "hellaswag", `{"activity_label": "A", "ctx`, []string{":1: unexpected end"}},
		{"array", "hellaswag", "[1]", []string{`:1: not a JSON object: "[1]"`}},
		{"two objects", "winogrande", goodWinoGrande + goodWinoGrande, []string{":1: invalid character '{' after top-level value"}},
		{"wrong type", "hellaswag", `{"endings": 3}`, []string{":1: ", "endings"}},
		{"not UTF-8", "winogrande", "{\"qID\": \"\xff\"}", []string{":1: not UTF-8"}},
		{"all bad lines", "winogrande", "1\n" + goodWinoGrande + "\n2", []string{":1: ", ":3: "}},
		{"many bad lines", "winogrande", strings.Repeat("1\n", 15), []string{":10: ", "and 5 more bad lines"}},
		{"no blank", "winogrande", strings.Replace(goodWinoGrande, "_", "", 1), []string{":1: item q: no blank in"}},
		{"nothing scored", "winogrande", strings.Replace(goodWinoGrande, " fits.", " ", 1), []string{":1: item q: nothing follows"}},
		{"answer", "winogrande", strings.Replace(goodWinoGrande, `"1"`, `"3"`, 1), []string{`:1: item q: answer "3" is not a whole number from 1 to 2`}},
		{"no answer", "winogrande", `{"sentence":"_ x","option1":"","option2":""}`, []string{`:1: no field "answer"`}},
		{"no options", "winogrande", `{"sentence":"_ x"}`, []string{`no field "option1"`, `no field "option2"`}},
		{"three endings", "hellaswag", `{"activity_label":"","ctx_a":"","ctx_b":"","endings":["a","b","c"],"label":1}`, []string{":1: 3 endings, not 4"}},
		{"label", "hellaswag", `{"activity_label":"","ctx_a":"","ctx_b":"","endings":["a","b","c","d"],"label":1.5}`, []string{":1: label 1.5 is not"}},
		{"empty ending", "hellaswag", `{"activity_label":"","ctx_a":"","ctx_b":"","endings":["a","b","c","[x]"],"label":1}`, []string{":1: ending 3 is empty"}},
		{"label of a test split", "hellaswag", `{"activity_label":"","ctx_a":"","ctx_b":"","endings":["a","b","c","d"],"label":""}`, []string{`:1: label "" is not`}},
		{"long line", "winogrande", goodWinoGrande + "\n" + strings.Repeat("x", MaxLineBytes+1), []string{":2: line longer than"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "task.jsonl", test.text)
			items, from, err := Load(test.task, Source{Files: map[string]string{test.task: path}})
			if err == nil || items != nil || from != (Provenance{}) {
				t.Fatalf("%d items, %+v, %v", len(items), from, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %.300v", want, err)
				}
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("no path in: %.300v", err)
			}
		})
	}
}

// A row that is cut anywhere is refused, with its place.
func TestEveryTruncation(t *testing.T) {
	for _, name := range fileTasks() {
		row := strings.TrimSpace(smallRow(t, name))
		if row == "" {
			continue // plain text, which may end anywhere
		}
		task, _ := All.Get(name)
		t.Run(name, func(t *testing.T) {
			for n := 1; n < len(row); n++ {
				_, _, err := task.parseAll("a.jsonl", strings.NewReader("\n"+row[:n]))
				if err == nil || !strings.HasPrefix(err.Error(), "a.jsonl:2: ") || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%d of %d bytes: %v", n, len(row), err)
				}
			}
		})
	}
}

func TestNoSource(t *testing.T) {
	tests := []struct {
		name, task string
		src        Source
		want       string
	}{
		{"no folder", "hellaswag", Source{}, "give --data DIR or --data hellaswag=FILE"},
		{"folder for a file", "hellaswag", Source{Files: map[string]string{"hellaswag": "."}}, ". is a folder"},
		{"file for a folder", "hellaswag", Source{Dir: "task.go"}, "task.go"},
		{"no world", "world_walk1", Source{}, "there is none"},
		{"unknown", "helaswag", Source{}, `did you mean "hellaswag"?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Load(test.task, test.src)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseSource(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string // of the error
	}{
		{"folder", []string{"a"}, ""},
		{"folder with an equals sign", []string{"./a=b"}, ""},
		{"file", []string{"hellaswag=x.jsonl", "a"}, ""},
		{"two folders", []string{"a", "b"}, `two data folders, "a" and "b"`},
		{"unknown task", []string{"helaswag=x"}, `did you mean "hellaswag"?`},
		{"built-in task", []string{"world_walk1=x"}, "reads no file"},
		{"no file", []string{"hellaswag="}, "no file after ="},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseSource(test.values)
			if fmt.Sprint(err) == "<nil>" && test.want == "" {
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	got, err := Resolve("winogrande, hellaswag", "world", "hellaswag")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got[:2], []string{"winogrande", "hellaswag"}) || !slices.Contains(got, "world_walk1") {
		t.Errorf("got %v", got)
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(sorted) != len(got) {
		t.Errorf("a task twice in %v", got)
	}
	_, err = Resolve("wrld", "hellaswga")
	for _, want := range []string{`did you mean "world"?`, `did you mean "hellaswag"?`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestGroupsAreDisjoint(t *testing.T) {
	easy, _ := Resolve("world")
	hard, _ := Resolve("world_hard")
	for _, name := range hard {
		if slices.Contains(easy, name) {
			t.Errorf("%s is in both groups", name)
		}
	}
}

// fuzzParser checks that a parser never panics and never lets through an item
// that breaks what eval relies on.
func fuzzParser(f *testing.F, name string) {
	task, err := All.Get(name)
	if err != nil {
		f.Fatal(err)
	}
	file := testFile(f, name)
	seeds, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(seeds)) {
		f.Add([]byte(line), "0")
	}
	f.Fuzz(func(t *testing.T, line []byte, label string) {
		item, err := task.parseRow(Row{Line: line, Plain: isPlain(file), Label: label})
		if err != nil {
			return
		}
		if err := checkItem(task, item); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}

func FuzzHellaSwag(f *testing.F)  { fuzzParser(f, "hellaswag") }
func FuzzWinoGrande(f *testing.F) { fuzzParser(f, "winogrande") }
func FuzzHellaLlama(f *testing.F) { fuzzParser(f, "hellaswag@llama.cpp") }
func FuzzWinoLlama(f *testing.F)  { fuzzParser(f, "winogrande@llama.cpp") }
func FuzzPIQA(f *testing.F)       { fuzzParser(f, "piqa") }
func FuzzSIQA(f *testing.F)       { fuzzParser(f, "social_iqa") }
func FuzzBoolQ(f *testing.F)      { fuzzParser(f, "boolq") }
func FuzzARC(f *testing.F)        { fuzzParser(f, "arc_easy") }
func FuzzOpenBookQA(f *testing.F) { fuzzParser(f, "openbookqa") }
func FuzzLambada(f *testing.F)    { fuzzParser(f, "lambada_openai") }
func FuzzRACE(f *testing.F)       { fuzzParser(f, "race") }
func FuzzRACE2(f *testing.F)      { fuzzParser(f, "race@2") }
func FuzzTriviaQA(f *testing.F)   { fuzzParser(f, "triviaqa") }
func FuzzWikiText(f *testing.F)   { fuzzParser(f, "wikitext") }

// TestPythonLists compares literals with the JSON that they mean.
func TestPythonLists(t *testing.T) {
	tests := []struct{ name, in, want, err string }{
		{"empty", "[]", "[]", ""},
		{"both quotes", `['a "b"', "it's"]`, `["a \"b\"","it's"]`, ""},
		{"escapes", `['\n\t\\\'\xe9\u20ac\U0001f600']`, `["\n\t\\'é€😀"]`, ""},
		{"comma at the end", "['a', ]", `["a"]`, ""},
		{"dictionary", "[{'a': 'b', 'c': ['d']}]", `[{"a":"b","c":["d"]}]`, ""},
		{"no end", "['a", "", "without its end"},
		{"no end after a backslash", `['a\`, "", "without its end"},
		{"no comma", "['a' 'b']", "", "expected , or ]"},
		{"number", "[1]", "", "expected a list"},
		{"cut escape", `['\x4']`, "", "no character"},
		{"not a character", `['\Uffffffff']`, "", "no character"},
		{"unknown escape", `['\q']`, "", "unknown escape"},
		{"more", "[] []", "", "more text than one value"},
		{"deep", strings.Repeat("[", 100), "", "nested too deeply"},
		{"key", "{['a']: 'b'}", "", "expected a string as a key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := pythonList(test.in)
			if string(got) != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func FuzzPythonLists(f *testing.F) {
	f.Add(`[{'question': "What's this?", 'answer': 'A', 'options': ['a', '\xe9']}]`)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := pythonList(text); err == nil && !json.Valid(got) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}
