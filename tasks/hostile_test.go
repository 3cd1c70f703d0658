package tasks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"plumb/internal/hostile"
)

// No task file of 1 MiB takes 64 MiB to read: full of the smallest rows, of rows
// that are wrong, or of one row with a field that is full of something.
func TestMemory(t *testing.T) {
	for _, name := range fileTasks() {
		task, _ := All.Get(name)
		switch base, _, other := strings.Cut(name, "@"); {
		case other && name != "wikitext@gptq" && name != "race@2":
			continue // it reads rows as the benchmark itself does, or wikitext@gptq
		case base == "arc_challenge" || name == "race_middle" || base == "lambada_standard":
			continue // its rows are those of another
		}
		t.Run(name, func(t *testing.T) {
			hostile.Bounded(t, hostileFiles(t, name), func(file hostileFile) error {
				_, _, err := task.parseAll(file.name, bytes.NewReader(file.made()))
				return err
			})
		})
	}
}

// A hostileFile is made when it is read, so that others take no memory meanwhile.
type hostileFile struct {
	name string
	made func() []byte
}

func hostileFiles(t *testing.T, name string) map[string]hostileFile {
	files := map[string]hostileFile{}
	for what, line := range map[string]string{
		"lines": "a b\n", "empty lines": "\n", "one line": "a ", "titles": "= a =\n", "quotes": `" `, "wide spaces": "\u2003a",
	} {
		files["text: "+what] = hostileFile{"a.txt", func() []byte { return hostile.Fill("", line, "") }}
	}
	for what, made := range hostileRows(smallRow(t, name)) {
		files[what] = hostileFile{"a.jsonl", made}
	}
	return files
}

// smallRow is a row of JSON that the task called name accepts, if there is one.
func smallRow(t *testing.T, name string) string {
	base, _, _ := strings.Cut(name, "@")
	text, err := os.ReadFile("testdata/" + base + ".jsonl")
	if err != nil {
		text, err = os.ReadFile("testdata/" + strings.TrimSuffix(base, "_standard") + "_openai.jsonl")
	}
	if err != nil {
		t.Fatal(err)
	}
	row, _, _ := strings.Cut(string(text), "\n")
	return row
}

// hostileRows are files of rows like row.
func hostileRows(row string) map[string]func() []byte {
	files := map[string]func() []byte{
		"nested": func() []byte { return hostile.Fill(`{"a":`, "[", "") },
		"keys": func() []byte {
			return hostile.FillEach("{", func(i int) string { return fmt.Sprintf(`"%x":0,`, i) }, row[1:])
		},
	}
	for what, line := range map[string]string{"rows": row, "small rows": smallest(row), "empty objects": "{}", "empty lines": "", "numbers": "1"} {
		files[what] = func() []byte { return hostile.Fill("", line+"\n", "") }
	}
	for key := range fieldsOf(row) {
		for what, full := range map[string][3]string{
			"texts":   {"[", `"",`, `""]`},
			"lists":   {"[", `[],`, `[]]`},
			"objects": {"[", `{},`, `{}]`},
			"escapes": {`"`, `\n\t`, `"`},
			"python":  {`"[`, `{},`, `{}]"`},
			"choices": {`{"text":["a"],"label":[`, `"",`, `""]}`},
		} {
			files[key+": "+what] = func() []byte { return withField(row, key, full) }
		}
	}
	return files
}

func fieldsOf(row string) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(row), &fields); err != nil {
		panic(err)
	}
	return fields
}

// smallest is row with short texts.
func smallest(row string) string {
	fields := fieldsOf(row)
	for key, value := range fields {
		var text string
		if json.Unmarshal(value, &text) == nil && len(text) > 3 {
			fields[key] = json.RawMessage(`"a _ b"`)
		}
	}
	return written(fields)
}

func written(fields map[string]json.RawMessage) string {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// withField is row with a value under key that is full of the second of three
// parts, as long as a line can be.
func withField(row, key string, full [3]string) []byte {
	fields := fieldsOf(row)
	delete(fields, key)
	begin := strings.TrimSuffix(written(fields), "}") + fmt.Sprintf(",%q:%s", key, full[0])
	room := MaxLineBytes - 2 - len(begin) - len(full[2])
	return []byte(begin + strings.Repeat(full[1], room/len(full[1])) + full[2] + "}\n")
}

// Neither does a file that states tasks, at the size that one may have.
func TestMemoryOfStatedTasks(t *testing.T) {
	fill := func(before, unit, after string) []byte {
		return []byte(before + strings.Repeat(unit, (maxStatedBytes-len(before)-len(after))/len(unit)) + after)
	}
	hostile.Bounded(t, map[string][]byte{
		"tasks":          fill("", "[[task]]\n", ""),
		"unknown tasks":  fill("", "[[x]]\n", ""),
		"nested keys":    fill("", "a.", "a = 1"),
		"nested lists":   fill("x = ", "[", ""),
		"inline tables":  fill("x = ", "{a=", ""),
		"choices":        fill("[[task]]\nchoices = [", `"",`, `""]`),
		"a long context": fill("[[task]]\nname = \"a\"\ncontext = \"", "{{a}}", "\""),
		"open braces":    fill("[[task]]\nname = \"a\"\ncontext = \"", "{", "\""),
	}, func(text []byte) error {
		_, err := ParseStated(text)
		return err
	})
}
