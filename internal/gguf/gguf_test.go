package gguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/hostile"
)

// open writes data to a file and opens it.
func open(t testing.TB, data []byte) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.gguf")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

// example holds every kind of value and a tensor of every type.
func example() ([]Pair, []Source) {
	metadata := []Pair{
		{"general.architecture", "plumb"},
		{"u8", uint8(200)}, {"i8", int8(-3)}, {"u16", uint16(60000)}, {"i16", int16(-300)}, {"u32", uint32(1 << 31)}, {"i32", int32(-5)},
		{"u64", uint64(1 << 63)}, {"i64", int64(-1 << 40)}, {"f32", float32(0.1)}, {"f64", 0.1}, {"yes", true}, {"no", false},
		{"text", "a \u03c0"}, {"empty", ""}, {"texts", []string{"a", "", "b"}}, {"numbers", []float32{1, 2.5}}, {"none", []int32{}},
		{"u8s", []uint8{1}}, {"i8s", []int8{-1}}, {"u16s", []uint16{2}}, {"i16s", []int16{-2}}, {"u32s", []uint32{3}}, {"u64s", []uint64{4}},
		{"i64s", []int64{-4}}, {"f64s", []float64{5}}, {"bools", []bool{true, false}},
	}
	var tensors []Source
	for _, typ := range types {
		tensors = append(tensors, Source{"of " + typ.Name, typ, []int{2, 256}, func() []float32 { return samples(512) }, nil})
	}
	tensors = append(tensors, Source{"long", types[8], []int{150, 256}, func() []float32 { return samples(150 * 256) }, nil})
	return metadata, append(tensors, Source{"odd", types[0], []int{3}, func() []float32 { return []float32{1, 2, 3} }, nil})
}

func write(t testing.TB, metadata []Pair, tensors []Source) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := Write(&file, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestWriteThenOpen(t *testing.T) {
	metadata, tensors := example()
	file := write(t, metadata, tensors)
	if again := write(t, metadata, tensors); !bytes.Equal(file, again) {
		t.Error("two writes of one content differ")
	}
	f, err := open(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata, metadata) {
		t.Errorf("metadata is %v, want %v", f.Metadata, metadata)
	}
	if f.Version != 3 || len(f.Tensors()) != len(tensors) {
		t.Errorf("version %d and %d tensors", f.Version, len(f.Tensors()))
	}
	for _, s := range tensors {
		values := s.Values()
		encoded := make([]byte, s.Bytes())
		s.Type.Encode(encoded, values)
		want, got := make([]float32, len(values)), make([]float32, len(values))
		s.Type.Decode(want, encoded)
		if err := f.Float32(got, s.Name, 0); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, or other values", s.Name, err)
		}
		row := s.Shape[len(s.Shape)-1]
		if err := f.Float32(got[:row], s.Name, len(values)-row); err != nil || !slices.Equal(got[:row], want[len(want)-row:]) {
			t.Errorf("the last row of %s: %v, or other values", s.Name, err)
		}
	}
}

func TestFloat32Refuses(t *testing.T) {
	metadata, tensors := example()
	f, err := open(t, write(t, metadata, tensors))
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]error{
		"an unknown name":  f.Float32(nil, "nobody", 0),
		"half a block":     f.Float32(make([]float32, 128), "of Q4_K", 0),
		"inside a block":   f.Float32(make([]float32, 256), "of Q4_K", 128),
		"too many numbers": f.Float32(make([]float32, 768), "of Q4_K", 0),
		"beyond the end":   f.Float32(make([]float32, 256), "of Q4_K", 512),
		"before the start": f.Float32(make([]float32, 256), "of Q4_K", -256),
	} {
		if read == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// No file that was cut short is taken for a whole one.
func TestEveryTruncationIsRefused(t *testing.T) {
	metadata, tensors := example()
	file := write(t, metadata, tensors)
	hostile.Cut(t, file, func(data []byte) error { return new(File).parse(data) })
	if err := new(File).parse(append(slices.Clone(file), 0)); err == nil {
		t.Error("a byte too many, and nobody noticed")
	}
}

// A builder makes files that Write would not.
type builder struct{ data []byte }

func newFile(version uint32, tensors, keys uint64) *builder {
	return (&builder{[]byte(magic)}).u32(version).u64(tensors).u64(keys)
}

func (b *builder) u32(v ...uint32) *builder {
	for _, v := range v {
		b.data = binary.LittleEndian.AppendUint32(b.data, v)
	}
	return b
}

func (b *builder) u64(v ...uint64) *builder {
	for _, v := range v {
		b.data = binary.LittleEndian.AppendUint64(b.data, v)
	}
	return b
}

func (b *builder) text(s string) *builder {
	b.data = appendText(b.data, s)
	return b
}

// tensor describes a tensor; sizes are innermost first, as in files.
func (b *builder) tensor(name string, id uint32, offset uint64, sizes ...uint64) *builder {
	return b.text(name).u32(uint32(len(sizes))).u64(sizes...).u32(id).u64(offset)
}

// zeros pads to the alignment and adds n bytes of data.
func (b *builder) zeros(n int) []byte {
	b.data = append(b.data, padding(len(b.data))...)
	return append(b.data, make([]byte, n)...)
}

// refused are files that are to be refused, each with what the error must say.
func refused() map[string]struct {
	data []byte
	want string
} {
	const huge = 1 << 62
	return map[string]struct {
		data []byte
		want string
	}{
		"empty":                     {nil, "no GGUF file"},
		"another magic":             {[]byte("GGML\x03\x00\x00\x00"), "no GGUF file"},
		"version 1":                 {newFile(1, 0, 0).data, "version 1"},
		"version 4":                 {newFile(4, 0, 0).data, "version 4"},
		"big endian":                {newFile(3<<24, 0, 0).data, "big-endian"},
		"tensor count":              {newFile(3, math.MaxUint64, 0).data, "at most"},
		"key count":                 {newFile(3, 0, math.MaxUint64).data, "at most"},
		"keys beyond the file":      {newFile(3, 0, 60000).u64(0, 0).data, "do not fit"},
		"tensors beyond the file":   {newFile(3, 1000, 0).u64(0, 0).data, "do not fit"},
		"key length":                {newFile(3, 0, 1).u64(math.MaxUint64).u64(0, 0).data, "a length of"},
		"key twice":                 {newFile(3, 0, 2).text("a").u32(4, 1).text("a").u32(4, 2).data, "twice"},
		"empty key":                 {newFile(3, 0, 1).text("").u32(4, 1).data, "a key is"},
		"key no UTF-8":              {newFile(3, 0, 1).text("\xff").u32(4, 1).data, "a key is"},
		"kind":                      {newFile(3, 0, 1).text("a").u32(13, 0).data, "unknown kind"},
		"text length":               {newFile(3, 0, 1).text("a").u32(8).u64(huge).data, "a length of"},
		"bool":                      {newFile(3, 0, 1).text("a").u32(7, 2).data, "neither true nor false"},
		"array kind":                {newFile(3, 0, 1).text("a").u32(9, 99).u64(1).data, "unknown kind"},
		"array length":              {newFile(3, 0, 1).text("a").u32(9, 12).u64(huge).u64(0).data, "a length of"},
		"array of arrays, wide":     {newFile(3, 0, 1).text("a").u32(9, 9).u64(huge).u64(0, 0).data, "a length of"},
		"array of arrays, deep":     {newFile(3, 0, 1).text("a").u32(9, 9).u64(1).u32(9).u64(1).u32(9).u64(1).u32(9).u64(1).u32(9).u64(1).u32(9).u64(0).data, "deep"},
		"alignment 0":               {newFile(3, 0, 1).text(alignmentKey).u32(4, 0).data, "power of two"},
		"alignment 24":              {newFile(3, 0, 1).text(alignmentKey).u32(4, 24).data, "power of two"},
		"alignment 8192":            {newFile(3, 0, 1).text(alignmentKey).u32(4, 8192).data, "power of two"},
		"alignment of another kind": {newFile(3, 0, 1).text(alignmentKey).u32(10).u64(32).data, "power of two"},
		"no dimensions":             {newFile(3, 1, 0).tensor("a", 0, 0).zeros(32), "0 dimensions"},
		"five dimensions":           {newFile(3, 1, 0).tensor("a", 0, 0, 1, 1, 1, 1, 1).zeros(32), "5 dimensions"},
		"dimension 0":               {newFile(3, 1, 0).tensor("a", 0, 0, 0).zeros(32), "a dimension of 0"},
		"dimension negative":        {newFile(3, 1, 0).tensor("a", 0, 0, math.MaxUint64).zeros(32), "a dimension of"},
		"product wraps":             {newFile(3, 1, 0).tensor("a", 0, 0, 1<<32, 1<<32).zeros(32), "too large"},
		"product times bytes wraps": {newFile(3, 1, 0).tensor("a", 0, 0, 1<<62).zeros(32), "too large"},
		"wraps to little":           {newFile(3, 1, 0).tensor("a", 8, 0, 32, 1<<60).zeros(64), "too large"},
		"part of a block":           {newFile(3, 1, 0).tensor("a", 8, 0, 31).zeros(64), "do not fill blocks"},
		"type not read":             {newFile(3, 1, 0).tensor("a", 10, 0, 256).zeros(96), "Q2_K"},
		"type unknown":              {newFile(3, 1, 0).tensor("a", 4, 0, 32).zeros(96), "number 4"},
		"offset not aligned":        {newFile(3, 1, 0).tensor("a", 0, 4, 4).zeros(64), "no multiple"},
		"offset beyond":             {newFile(3, 1, 0).tensor("a", 0, huge, 4).zeros(64), "leaves a hole"},
		"hole":                      {newFile(3, 2, 0).tensor("a", 0, 0, 4).tensor("b", 0, 64, 4).zeros(96), "leaves a hole"},
		"overlap":                   {newFile(3, 2, 0).tensor("a", 0, 0, 16).tensor("b", 0, 32, 4).zeros(96), "overlaps"},
		"the same place twice":      {newFile(3, 2, 0).tensor("a", 0, 0, 4).tensor("b", 0, 0, 4).zeros(64), "overlaps"},
		"name twice":                {newFile(3, 2, 0).tensor("a", 0, 0, 4).tensor("a", 0, 32, 4).zeros(64), "twice"},
		"long name":                 {newFile(3, 1, 0).tensor(strings.Repeat("a", 64), 0, 0, 4).zeros(32), "a name is"},
		"longer than the file":      {newFile(3, 1, 0).tensor("a", 0, 0, 1000).zeros(32), "cut short"},
		"padding is missing":        {newFile(3, 1, 0).tensor("a", 0, 0, 4).zeros(16), "cut short"},
		"data after the last":       {newFile(3, 1, 0).tensor("a", 0, 0, 4).zeros(64), "end at"},
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	for name, test := range refused() {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
		})
	}
}

func TestOtherAlignmentsAreRead(t *testing.T) {
	b := newFile(2, 1, 1).text(alignmentKey).u32(4, 128).tensor("a", 0, 0, 2, 3)
	data := make([]byte, padded(uint64(len(b.data)), 128)+128)
	copy(data, b.data)
	f, err := open(t, data)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := f.Tensor("a"); !ok || f.Version != 2 || !slices.Equal(a.Shape, []int{3, 2}) || a.Elements() != 6 || a.Bytes() != 24 {
		t.Errorf("%+v", a)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := func() []float32 { return []float32{1} }
	bad := func() []float32 { return make([]float32, 31) }
	nan := func() []float32 { return append(make([]float32, 31), float32(math.NaN())) }
	tests := map[string]struct {
		metadata []Pair
		tensors  []Source
	}{
		"key twice":        {[]Pair{{"a", true}, {"a", true}}, nil},
		"alignment":        {[]Pair{{alignmentKey, uint32(64)}}, nil},
		"value":            {[]Pair{{"a", 1}}, nil},
		"array in array":   {[]Pair{{"a", []any{}}}, nil},
		"empty key":        {[]Pair{{"", true}}, nil},
		"name":             {nil, []Source{{strings.Repeat("a", 64), types[0], []int{1}, one, nil}}},
		"name twice":       {nil, []Source{{"a", types[0], []int{1}, one, nil}, {"a", types[0], []int{1}, one, nil}}},
		"no shape":         {nil, []Source{{"a", types[0], nil, one, nil}}},
		"shape":            {nil, []Source{{"a", types[0], []int{0}, one, nil}}},
		"part of a block":  {nil, []Source{{"a", types[3], []int{31}, bad, nil}}},
		"values":           {nil, []Source{{"a", types[0], []int{2}, one, nil}}},
		"values of blocks": {nil, []Source{{"a", types[3], []int{32}, bad, nil}}},
		"not finite":       {nil, []Source{{"a", types[3], []int{32}, nan, nil}}},
	}
	for name, test := range tests {
		if err := Write(&bytes.Buffer{}, test.metadata, test.tensors); err == nil {
			t.Errorf("%s is written", name)
		}
	}
}

// The files of the shelf expand to the numbers that its golden files have the
// hashes of.
func TestGoldenFiles(t *testing.T) {
	goldens, err := filepath.Glob(golden.Shared(t, "models", "*", "gguf", "golden-gguf.json"))
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range goldens {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var files map[string]goldenFile
		if err := json.Unmarshal(text, &files); err != nil {
			t.Fatal(err)
		}
		for name, want := range files {
			t.Run(name, func(t *testing.T) { want.check(t, filepath.Join(filepath.Dir(path), name)) })
		}
	}
}

type goldenFile struct {
	KV      map[string]any
	Tensors []struct {
		Name, Type string
		Shape      []int  `json:"shape_outer_first"`
		Sum        string `json:"f32_sha256"`
	}
}

func (g goldenFile) check(t *testing.T, path string) {
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Metadata {
		if want, ok := g.KV[p.Key]; ok && !sameValue(p.Value, want) {
			t.Errorf("%s = %v, want %v", p.Key, p.Value, want)
		}
	}
	if want := g.KV["GGUF.kv_count"].(float64); len(f.Metadata) != int(want) || len(f.Tensors()) != len(g.Tensors) {
		t.Errorf("%d keys and %d tensors, want %v and %d", len(f.Metadata), len(f.Tensors()), want, len(g.Tensors))
	}
	for _, want := range g.Tensors {
		got, ok := f.Tensor(want.Name)
		if !ok || got.Type.Name != want.Type || !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("%s is %s %v, want %s %v", want.Name, got.Type.Name, got.Shape, want.Type, want.Shape)
			continue
		}
		values := make([]float32, got.Elements())
		if err := f.Float32(values, want.Name, 0); err != nil {
			t.Error(err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(float32Bytes(values))); sum != want.Sum {
			t.Errorf("%s expands to numbers with hash %s, want %s", want.Name, sum, want.Sum)
		}
	}
}

// sameValue compares a value with its JSON, where arrays are given by length.
func sameValue(got, want any) bool {
	if list, ok := want.(map[string]any); ok {
		return float64(reflect.ValueOf(got).Len()) == list["len"]
	}
	if number, ok := want.(float64); ok {
		return fmt.Sprint(number) == fmt.Sprint(reflect.ValueOf(got).Convert(reflect.TypeFor[float64]()).Float())
	}
	return got == want
}

// Files that hold a vocabulary and no tensors are read too.
func TestVocabularies(t *testing.T) {
	for path, tokens := range map[string]int{"gpt2/ggml-vocab-gpt-2.gguf": 50257, "llama-spm/ggml-vocab-llama-spm.gguf": 32000} {
		f, err := Open(golden.Shared(t, "tokenizers", path))
		if err != nil {
			t.Fatal(err)
		}
		list, ok := f.Value("tokenizer.ggml.tokens").([]string)
		if !ok || len(list) != tokens || f.Value("no such key") != nil {
			t.Errorf("%s: %d tokens, want %d", path, len(list), tokens)
		}
		f.Close()
	}
}

// What is in a file of a megabyte takes less than 64 MiB, whatever it claims.
func TestMemory(t *testing.T) {
	fill := func(b *builder, step func(i int)) []byte {
		for i := 0; len(b.data) < hostile.Size-64; i++ {
			step(i)
		}
		return b.data
	}
	const left = hostile.Size - 200
	numbers := func(kind uint32, each uint64) []byte {
		b := newFile(3, 0, 1).text("a").u32(9, kind).u64(left / each)
		return append(b.data, make([]byte, left)...)
	}
	keys, tensors, ranks, arrays, claims := newFile(3, 0, 65000), newFile(3, 25000, 0), newFile(3, 17000, 0), newFile(3, 0, 42000), newFile(3, 0, 1)
	lists := newFile(3, 0, 1).text("a").u32(9, 9).u64(left / 13)
	texts := newFile(3, 0, 1).text("a").u32(9, 8).u64(left / 9)
	files := map[string][]byte{
		"short keys":     fill(keys, func(i int) { keys.text(fmt.Sprintf("%05x", i)).u32(0).data = append(keys.data, 1) }),
		"arrays by key":  fill(arrays, func(i int) { arrays.text(fmt.Sprintf("%x", i)).u32(9, 0).u64(0) }),
		"small tensors":  fill(tensors, func(i int) { tensors.tensor(fmt.Sprintf("%05x", i), 0, uint64(32*i), 1) }),
		"ranks":          fill(ranks, func(i int) { ranks.tensor(fmt.Sprintf("%x", i), 0, uint64(32*i), 1, 1, 1, 1) }),
		"empty texts":    numbers(8, 8),
		"short texts":    fill(texts, func(int) { texts.text("a") }),
		"empty arrays":   numbers(9, 12),
		"arrays of one":  fill(lists, func(int) { lists.u32(0).u64(1).data = append(lists.data, 1) }),
		"arrays, 4 deep": fill(claims.text("a").u32(9, 9).u64(1).u32(9).u64(1).u32(9).u64(left/12), func(int) { claims.u32(0).u64(0) }),
		"bytes":          numbers(0, 1),
		"bools":          numbers(7, 1),
		"doubles":        numbers(12, 8),
	}
	for name, file := range refused() {
		files[name] = append(file.data, make([]byte, hostile.Size)...)[:hostile.Size]
	}
	hostile.Bounded(t, files, func(data []byte) error { return new(File).parse(data) })
}

// Whatever the bytes are, Open refuses them or all it lists can be read.
func FuzzParse(f *testing.F) {
	metadata, tensors := example()
	f.Add(write(f, metadata, tensors))
	f.Add(write(f, metadata[:3], nil))
	for _, test := range refused() {
		f.Add(test.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var g File
		if err := g.parse(data); err != nil {
			return
		}
		for _, tensor := range g.tensors {
			if tensor.begin+tensor.size > uint64(len(data)) {
				t.Fatalf("%+v is not inside %d bytes", tensor, len(data))
			}
			row := tensor.Shape[len(tensor.Shape)-1]
			values := make([]float32, row)
			tensor.Type.Decode(values, data[tensor.begin:][:tensor.Type.Bytes(row)])
		}
	})
}
