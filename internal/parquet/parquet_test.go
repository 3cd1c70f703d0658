package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	other "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"plumb/internal/hostile"
)

// A choices is a struct of lists, as data sets have them.
type choices struct {
	Text  []string `parquet:"text,list" json:"text"`
	Label []string `parquet:"label,list" json:"label"`
}

type alias struct {
	Name  string   `parquet:"name" json:"name"`
	Notes []string `parquet:"notes,list" json:"notes"`
}

type question struct {
	ID       string   `parquet:"id" json:"id"`
	Text     string   `parquet:"text,dict" json:"text"`
	Hint     *string  `parquet:"hint,optional" json:"hint"`
	Label    int64    `parquet:"label" json:"label"`
	Small    int32    `parquet:"small,dict" json:"small"`
	Unsigned uint64   `parquet:"unsigned" json:"unsigned"`
	Share    float64  `parquet:"share" json:"share"`
	Single   float32  `parquet:"single" json:"single"`
	Good     bool     `parquet:"good" json:"good"`
	Choices  choices  `parquet:"choices" json:"choices"`
	Aliases  []alias  `parquet:"aliases,list" json:"aliases"`
	Plain    []string `parquet:"plain" json:"plain"` // repeated without the form of a list
}

// questions are rows with every kind of gap.
func questions(n int) []question {
	rows := make([]question, n)
	for i := range rows {
		q := question{
			ID: fmt.Sprint("q", i), Text: fmt.Sprintf("Why \"%d\"?\n\té\u2028", i%7), Label: int64(i) - 3, Small: int32(-i % 5),
			Unsigned: 1<<63 + uint64(i), Share: float64(i) / 3, Single: float32(i) / 7, Good: i%3 == 0,
			Choices: choices{Text: []string{}, Label: []string{}}, Aliases: []alias{}, Plain: []string{},
		}
		if i%2 == 0 {
			q.Hint = new(strings.Repeat("h", i%4))
		}
		for j := range i % 5 {
			q.Choices.Text = append(q.Choices.Text, fmt.Sprint("choice ", j))
			q.Choices.Label = append(q.Choices.Label, string(rune('A'+j)))
			q.Plain = append(q.Plain, fmt.Sprint(j))
			a := alias{Name: fmt.Sprint(i, j), Notes: []string{}}
			for k := range (i + j) % 3 {
				a.Notes = append(a.Notes, fmt.Sprint(k))
			}
			q.Aliases = append(q.Aliases, a)
		}
		rows[i] = q
	}
	return rows
}

func write[T any](t testing.TB, rows []T, options ...other.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := other.NewGenericWriter[T](&out, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(data []byte) (rows []string, err error) {
	for row, err := range Rows(data) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, string(row))
	}
	return rows, nil
}

// codecs are the compressions that are read.
var codecs = map[string]compress.Codec{
	"uncompressed": &other.Uncompressed, "snappy": &other.Snappy, "gzip": &other.Gzip, "zstd": &other.Zstd,
}

// What an independent writer writes is read as the rows that it was given.
func TestRowsOfAnotherWriter(t *testing.T) {
	rows := questions(500)
	for name, codec := range codecs {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprint(name, version), func(t *testing.T) {
				data := write(t, rows, other.Compression(codec), other.DataPageVersion(version),
					other.PageBufferSize(700), other.MaxRowsPerRowGroup(200))
				got, err := readAll(data)
				if err != nil || len(got) != len(rows) {
					t.Fatalf("%d rows, %v", len(got), err)
				}
				for i, row := range got {
					var q question
					if err := json.Unmarshal([]byte(row), &q); err != nil {
						t.Fatalf("row %d: %v: %s", i, err, row)
					}
					if !reflect.DeepEqual(q, rows[i]) {
						t.Fatalf("row %d is %s, want %+v", i, row, rows[i])
					}
				}
			})
		}
	}
}

func TestEncodings(t *testing.T) {
	type numbers struct {
		Delta32 int32  `parquet:"delta32,delta" json:"delta32"`
		Delta64 int64  `parquet:"delta64,delta" json:"delta64"`
		Length  string `parquet:"length,delta" json:"length"`
		Time    int64  `parquet:"time,timestamp" json:"time"`
		JSON    string `parquet:"json,json" json:"json"`
		Byte    uint8  `parquet:"byte" json:"byte"`
	}
	var rows []numbers
	for i := range 1000 {
		rows = append(rows, numbers{int32(i * i * 100), int64(i*i*i)<<30 - 5, strings.Repeat("x", i%17), int64(i), "{}", uint8(i)})
	}
	got, err := readAll(write(t, rows))
	if err != nil || len(got) != len(rows) {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	for i, row := range got {
		var n numbers
		if err := json.Unmarshal([]byte(row), &n); err != nil || n != rows[i] {
			t.Fatalf("row %d is %s (%v), want %+v", i, row, err, rows[i])
		}
	}
}

// Lengths as differences, before all texts.
func TestLengthsAsDifferences(t *testing.T) {
	schema := other.NewSchema("table", other.Group{"text": other.Encoded(other.String(), &other.DeltaLengthByteArray)})
	var out bytes.Buffer
	w := other.NewGenericWriter[any](&out, schema)
	var want []string
	for i := range 300 {
		text := strings.Repeat("é", i%40)
		want = append(want, `{"text":"`+text+`"}`)
		if _, err := w.Write([]any{map[string]any{"text": text}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(out.Bytes()); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d rows, %v", len(got), err)
	}
}

func TestRefused(t *testing.T) {
	type fixed struct {
		ID [16]byte `parquet:"id,uuid"`
	}
	type text struct {
		Text string `parquet:"text"`
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "no Parquet file"},
		{"text", []byte("PAR1 but not much of one"), "no Parquet file"},
		{"encrypted", []byte("PARE12345678PARE"), "encrypted"},
		{"footer too long", []byte("PAR1\xff\xff\xff\xffPAR1"), "said to have 4294967295 bytes"},
		{"no footer", []byte("PAR1\x00\x00\x00\x00PAR1"), "damaged"},
		{"a footer of nothing", []byte("PAR1\x00\x01\x00\x00\x00PAR1"), "no schema"},
		{"brotli", write(t, questions(3), other.Compression(&other.Brotli)), "compression Brotli (4) is not read"},
		{"fixed", write(t, []fixed{{}}), "has the type 7"},
		{"not UTF-8", write(t, []text{{"a\xffb"}}), `column "text": "a\xffb" is not UTF-8`},
		{"long text", write(t, []text{{strings.Repeat("x", maxRow+1)}}), "a row may have 1048576"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readAll(test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// Every beginning of a file is refused, and so is every end.
func TestTruncated(t *testing.T) {
	data := write(t, questions(4))
	for n := range len(data) {
		if rows, err := readAll(data[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes give %d rows", n, len(data), len(rows))
		}
		if rows, err := readAll(data[len(data)-n:]); err == nil {
			t.Fatalf("the last %d of %d bytes give %d rows", n, len(data), len(rows))
		}
	}
}

// Few bytes cannot make many: a column of one text in a dictionary, or of zeros.
func TestBombs(t *testing.T) {
	type text struct {
		Text string `parquet:"text,dict"`
	}
	big := strings.Repeat("bomb ", 8_000)
	rows := make([]text, 500)
	for i := range rows {
		rows[i].Text = big
	}
	type zeros struct {
		Zero string `parquet:"zero"`
	}
	tests := map[string][]byte{
		"dictionary": write(t, rows, other.Compression(&other.Zstd)),
		"page":       write(t, []zeros{{strings.Repeat("\x00", 16<<20)}}, other.Compression(&other.Zstd)),
	}
	for name, data := range tests {
		total := 0
		var err error
		for row, last := range Rows(data) {
			total += len(row)
			err = last
		}
		if err == nil || total > hostile.Most {
			t.Errorf("%s: %d bytes from %d, %v", name, total, len(data), err)
		}
	}
	hostile.Bounded(t, tests, drain)
}

func drain(data []byte) (err error) {
	for _, err = range Rows(data) {
	}
	return err
}

// No file of 1 MiB takes 64 MiB to read: pages that grow a hundredfold, texts of
// nothing, and footers that describe too much.
func TestMemory(t *testing.T) {
	type one struct {
		Text string `parquet:"text"`
	}
	type listed struct {
		Text string `parquet:"text,dict"`
	}
	type lists struct {
		Texts []string `parquet:"texts,list"`
	}
	footer := func(body []byte) []byte {
		data := append([]byte(magic), body...)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(body)))
		return append(data, magic...)
	}
	structs := func(field byte, each string) []byte { // a list of structs under a field
		n := (hostile.Size - 100) / len(each)
		body := binary.AppendUvarint([]byte{field<<4 | thriftList, 0xf0 | thriftStruct}, uint64(n))
		return footer(append(append(body, bytes.Repeat([]byte(each), n)...), 0))
	}
	codecs := map[string]other.WriterOption{"snappy": other.Compression(&other.Snappy), "zstd": other.Compression(&other.Zstd), "gzip": other.Compression(&other.Gzip)}
	files := map[string][]byte{
		"elements":       structs(2, "\x00"),
		"row groups":     structs(4, "\x00"),
		"chunks":         structs(4, "\x19\xfc\x10"+strings.Repeat("\x00", 16)+"\x00"),
		"promised":       footer([]byte{4<<4 | thriftList, 0xf0 | thriftStruct, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		"nested structs": footer(bytes.Repeat([]byte{1<<4 | thriftStruct}, hostile.Size-100)),
		"nested lists":   footer(bytes.Repeat([]byte{1<<4 | thriftList, 0x19}, hostile.Size/2-100)),
		"one field":      footer(append([]byte{2<<4 | thriftList, 0x10 | thriftStruct, 4<<4 | thriftBinary, 0xf0, 0xff, 0x3f}, make([]byte, hostile.Size)...)),
	}
	for name, codec := range codecs {
		n := 300_000
		files[name+" of nothing"] = write(t, make([]one, n), codec)
		files[name+" of a text each"] = write(t, slices.Repeat([]one{{"a"}}, n), codec)
		files[name+" of one text"] = write(t, slices.Repeat([]listed{{"a"}}, n), codec)
		files[name+" of lists"] = write(t, slices.Repeat([]lists{{make([]string, 100)}}, n/100), codec)
		files[name+" of long texts"] = write(t, slices.Repeat([]one{{strings.Repeat("a", 100_000)}}, 200), codec)
	}
	hostile.Bounded(t, files, drain)
}

func TestStopsWhenAsked(t *testing.T) {
	data := write(t, questions(10))
	n := 0
	for range Rows(data) {
		if n++; n == 3 {
			break
		}
	}
}

// Whatever is in a file, reading it ends with rows that are JSON, or an error.
func FuzzRows(f *testing.F) {
	for name, codec := range codecs {
		f.Add(write(f, questions(3), other.Compression(codec), other.DataPageVersion(1+len(name)%2)))
	}
	f.Add(write(f, questions(40), other.PageBufferSize(300), other.MaxRowsPerRowGroup(15), other.Compression(&other.Uncompressed)))
	f.Add([]byte("PAR1\x00\x01\x00\x00\x00PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for row, err := range Rows(data) {
			if err == nil && !json.Valid(row) {
				t.Fatalf("row %q", row)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %q", err)
			}
		}
	})
}
