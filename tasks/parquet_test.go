package tasks

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// table writes rows as the hub has them: Parquet with snappy.
func table[T any](t *testing.T, path string, rows ...T) {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, parquet.Compression(&parquet.Snappy))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(path), filepath.Base(path), out.String())
}

type winoGrandeTable struct {
	Sentence string `parquet:"sentence"`
	Option1  string `parquet:"option1"`
	Option2  string `parquet:"option2"`
	Answer   string `parquet:"answer"`
}

type arcTable struct {
	ID       string `parquet:"id"`
	Question string `parquet:"question"`
	Choices  struct {
		Text  []string `parquet:"text,list"`
		Label []string `parquet:"label,list"`
	} `parquet:"choices"`
	Key string `parquet:"answerKey"`
}

func TestParquetIsReadAsLinesAre(t *testing.T) {
	dir := t.TempDir()
	table(t, filepath.Join(dir, "winogrande/validation.parquet"), winoGrandeTable{"The _ fits.", "jug", "lid", "2"})
	arc := arcTable{ID: "q", Question: "Why?", Key: "2"}
	arc.Choices.Text, arc.Choices.Label = []string{"so", "thus", "hence"}, []string{"1", "2", "3"}
	table(t, filepath.Join(dir, "arc_easy/test.parquet"), arc)
	for name, line := range map[string]string{
		"winogrande": `{"sentence":"The _ fits.","option1":"jug","option2":"lid","answer":"2"}`,
		"arc_easy":   `{"id":"q","question":"Why?","choices":{"text":["so","thus","hence"],"label":["1","2","3"]},"answerKey":"2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, from, err := Load(name, Source{Dir: dir})
			if err != nil || !isTable(from.File) || from.Rows != 1 {
				t.Fatalf("%+v, %v", from, err)
			}
			want, _, err := Load(name, Source{Files: map[string]string{name: write(t, t.TempDir(), "rows.jsonl", line)}})
			if err != nil || Digest(got) != Digest(want) {
				t.Errorf("%+v, want %+v, %v", got, want, err)
			}
		})
	}
}

func TestBadParquet(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "rows.parquet")
	src := Source{Files: map[string]string{"winogrande": bad}}
	table(t, bad, winoGrandeTable{"The _ fits.", "jug", "lid", "1"}, winoGrandeTable{"The _ fits.", "jug", "lid", "7"})
	if _, _, err := Load("winogrande", src); err == nil || !strings.Contains(err.Error(), "rows.parquet:2: ") {
		t.Errorf("error %v", err)
	}
	data, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(data) {
		write(t, dir, "rows.parquet", string(data[:n]))
		if _, _, err := Load("winogrande", src); err == nil {
			t.Fatalf("the first %d of %d bytes are read", n, len(data))
		}
	}
}
