package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// raw builds a file from a header as written and n zero bytes of data.
func raw(header string, n int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), make([]byte, n)...)
}

func parse(file []byte) (*File, error) {
	return Parse("x.safetensors", bytes.NewReader(file), int64(len(file)))
}

func TestHostileFiles(t *testing.T) {
	entry := func(name, shape string, begin, end uint64) string {
		return fmt.Sprintf(`%q:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, begin, end)
	}
	long := strings.Repeat("n", maxName+1)
	tests := []struct {
		name string
		file []byte
		want string // in the error
	}{
		{"empty", nil, "0 bytes"},
		{"shorter than its length", []byte{1, 0, 0}, "3 bytes"},
		{"header beyond the file", raw("{}", 0)[:9], "only 1 follow"},
		{"header of exabytes", append(bytes.Repeat([]byte{0xff}, 8), "{}"...), "at most 104857600"},
		{"no header", raw("", 0), "does not begin with {"},
		{"pickle", raw("\x80\x02}q\x00.", 0), "does not begin with {"},
		{"space before the brace", raw(" {}", 0), "does not begin with {"},
		{"not UTF-8", raw("{\"a\xff\":1}", 0), "not UTF-8"},
		{"cut JSON", raw(`{"a":`, 0), "not valid JSON"},
		{"more after the object", raw(`{}{}`, 0), "goes on"},
		{"array", raw(`{"a":[]}`, 0), "where { belongs"},
		{"deep", raw(`{"a":`+strings.Repeat("[", 20000), 0), "where { belongs"},
		{"two tensors of a name", raw("{"+entry("w", "[1]", 0, 4)+","+entry("w", "[1]", 4, 8)+"}", 8), `tensor "w" is there twice`},
		{"two names equal after escapes", raw("{"+entry("w", "[1]", 0, 4)+`,"\u0077":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "twice"},
		{"two shapes", raw(`{"w":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}`, 4), "shape is there twice"},
		{"metadata that is no string", raw(`{"__metadata__":{"a":1}}`, 0), "where a string belongs"},
		{"metadata twice", raw(`{"__metadata__":{"a":"1","a":"2"}}`, 0), "twice"},
		{"unknown key", raw(`{"w":{"dtype":"F32","shape":[1],"offset":[0,4]}}`, 4), `unknown key "offset"`},
		{"missing key", raw(`{"w":{"dtype":"F32","shape":[1]}}`, 4), "needs dtype, shape and data_offsets"},
		{"unknown type", raw(`{"w":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}`, 4), `unknown data type "F4"`},
		{"negative size", raw("{"+entry("w", "[-1]", 0, 4)+"}", 4), "-1 is no natural number"},
		{"fraction", raw("{"+entry("w", "[1.0]", 0, 4)+"}", 4), "1.0 is no natural number"},
		{"exponent", raw("{"+entry("w", "[1e0]", 0, 4)+"}", 4), "1e0 is no natural number"},
		{"beyond 64 bits", raw("{"+entry("w", "[99999999999999999999]", 0, 4)+"}", 4), "is no natural number"},
		{"product wraps to 4 bytes", raw("{"+entry("w", "[4611686018427387905]", 0, 4)+"}", 4), "too large"},
		{"product wraps to zero", raw("{"+entry("w", "[4294967296,4294967296]", 0, 0)+"}", 0), "too large"},
		{"rank", raw("{"+entry("w", "[1,1,1,1,1,1,1,1,1]", 0, 4)+"}", 4), "more than 8 numbers"},
		{"three offsets", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), "more than 2 numbers"},
		{"one offset", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "1 data_offsets"},
		{"offsets turned round", raw("{"+entry("w", "[1]", 4, 0)+"}", 4), "do not hold the 4 bytes"},
		{"offsets and shape differ", raw("{"+entry("w", "[2]", 0, 4)+"}", 4), "do not hold the 8 bytes"},
		{"hole at the start", raw("{"+entry("w", "[1]", 4, 8)+"}", 8), "leaves a hole"},
		{"hole between", raw("{"+entry("v", "[1]", 0, 4)+","+entry("w", "[1]", 8, 12)+"}", 12), `tensor "w" begins at 8 and leaves a hole`},
		{"overlap", raw("{"+entry("v", "[2]", 0, 8)+","+entry("w", "[1]", 4, 8)+"}", 8), `tensor "w" begins at 4 and overlaps`},
		{"the same bytes twice", raw("{"+entry("v", "[1]", 0, 4)+","+entry("w", "[1]", 0, 4)+"}", 4), "overlaps"},
		{"cut short", raw("{"+entry("w", "[4]", 0, 16)+"}", 12), `tensor "w" ends at 16, but the file has 12`},
		{"bytes left over", raw("{"+entry("w", "[1]", 0, 4)+"}", 5), "5 bytes of data, but its tensors end at 4"},
		{"bytes and no tensors", raw("{}", 5), "5 bytes of data"},
		{"long name", raw("{"+entry(long, "[1]", 0, 4)+"}", 4), "a name of 1025 bytes"},
		{"exabytes of tensor", raw("{"+entry("w", "[1000000000000000000]", 0, 4000000000000000000)+"}", 4), "it is cut short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "x.safetensors: ") {
				t.Errorf("got %v, want an error with the file's name and %q", err, test.want)
			}
		})
	}
}

func TestManyTensors(t *testing.T) {
	var header strings.Builder
	for i := range maxTensors + 1 {
		fmt.Fprintf(&header, `,"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	_, err := parse(raw("{"+header.String()[1:]+"}", 0))
	if err == nil || !strings.Contains(err.Error(), "more than 200000 tensors") {
		t.Errorf("got %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	tensors := []Tensor{
		{"z", "F32", []int{2, 3}, Float32Bytes([]float32{1, -2, 3, float32(math.Inf(1)), 5, 0x1p-149})},
		{"a<&>é", "BF16", []int{1}, []byte{0x80, 0x3f}},
		{"scalar", "F16", nil, []byte{0, 0x3c}},
		{"none", "I64", []int{0, 7}, nil},
	}
	metadata := map[string]string{"b": "x\n\"<", "a": "", "config": `{"width":8}`}
	var file, again bytes.Buffer
	if err := Write(&file, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tensors)
	if err := Write(&again, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("the bytes depend on the order of the tensors")
	}
	if n := binary.LittleEndian.Uint64(file.Bytes()); n%8 != 0 {
		t.Errorf("header of %d bytes is not padded to 8", n)
	}
	f, err := parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Names(); !slices.Equal(got, []string{"a<&>é", "none", "scalar", "z"}) {
		t.Errorf("names %q", got)
	}
	for key, value := range metadata {
		if f.Metadata[key] != value {
			t.Errorf("metadata %q is %q, want %q", key, f.Metadata[key], value)
		}
	}
	for _, want := range tensors {
		got, err := f.Tensor(want.Name)
		if err != nil || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("got %v (%v), want %v", got, err, want)
		}
	}
	for name, want := range map[string][]float32{"z": {1, -2, 3, float32(math.Inf(1)), 5, 0x1p-149}, "a<&>é": {1}, "scalar": {1}} {
		got, _, err := f.Float32(name)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	one := []byte{0, 0, 0, 0}
	tests := []struct {
		name    string
		tensors []Tensor
		want    string
	}{
		{"twice", []Tensor{{"w", "F32", []int{1}, one}, {"w", "F32", []int{1}, one}}, `"w" is there twice`},
		{"too few bytes", []Tensor{{"w", "F32", []int{2}, one}}, "takes 8 bytes, but 4"},
		{"negative", []Tensor{{"w", "F32", []int{-1, -1}, one}}, "negative"},
		{"type", []Tensor{{"w", "float", []int{1}, one}}, `unknown data type "float"`},
		{"reserved", []Tensor{{"__metadata__", "F32", []int{1}, one}}, "reserved"},
		{"not UTF-8", []Tensor{{"\xff", "F32", []int{1}, one}}, "UTF-8"},
		{"rank", []Tensor{{"w", "F32", []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, one}}, "9 dimensions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var file bytes.Buffer
			err := Write(&file, nil, test.tensors)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if file.Len() > 0 {
				t.Errorf("%d bytes were written", file.Len())
			}
		})
	}
}

func TestAbsentAndOtherTypes(t *testing.T) {
	f, err := parse(raw(`{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Float32("ids"); err == nil || !strings.Contains(err.Error(), "is I64") {
		t.Errorf("got %v", err)
	}
	if _, _, err := f.Float32("w"); err == nil || !strings.Contains(err.Error(), `no tensor named "w"`) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Tensor("w"); err == nil {
		t.Error("no error for an absent tensor")
	}
}

// A file that shrinks after it was opened is an error, not a short tensor.
func TestShrunkFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	file := raw(`{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 16)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, int64(len(file)-1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Float32("w"); err == nil || !strings.Contains(err.Error(), `tensor "w"`) {
		t.Errorf("got %v", err)
	}
	if _, err := Read(filepath.Dir(path)); err == nil {
		t.Error("a folder was read")
	}
}

// float64 arithmetic is the plain definition of every float16.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		exponent, fraction := h>>10&0x1f, float64(h&0x3ff)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if h>>15 == 1 {
			want = math.Copysign(want, -1)
		}
		var got [1]float32
		decodeF16(got[:], []byte{byte(h), byte(h >> 8)})
		if math.IsNaN(want) {
			if math.Float32bits(got[0])&0x7fc00000 != 0x7fc00000 {
				t.Fatalf("%#04x became %v, want a quiet NaN", h, got[0])
			}
		} else if float64(got[0]) != want || math.Signbit(float64(got[0])) != (h>>15 == 1) {
			t.Fatalf("%#04x became %v, want %v", h, got[0], want)
		}
	}
}

// Every file on the shelf opens, and its tensors fill their shapes.
func TestSharedFiles(t *testing.T) {
	found := 0
	err := filepath.WalkDir(golden.Shared(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".safetensors" {
			return err
		}
		found++
		f, err := Read(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, name := range f.Names() {
			values, shape, err := f.Float32(name)
			if dtype, _, _ := f.Info(name); decoders[dtype] == nil {
				continue
			}
			if err != nil {
				return err
			}
			size := 1
			for _, n := range shape {
				size *= n
			}
			if size != len(values) {
				t.Errorf("%s: %s has %d values for shape %v", path, name, len(values), shape)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no safetensors file on the shelf")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(raw(`{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"__metadata__":{"a":"b"}}`, 8))
	f.Add(raw(`{"w":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}   `, 2))
	f.Add(raw(`{}`, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		parsed, err := parse(file)
		if err != nil {
			return
		}
		var tensors []Tensor
		for _, name := range parsed.Names() {
			tensor, err := parsed.Tensor(name)
			if err != nil {
				t.Fatalf("accepted, but %v", err)
			}
			parsed.Float32(name)
			tensors = append(tensors, tensor)
		}
		var again bytes.Buffer
		if err := Write(&again, parsed.Metadata, tensors); err != nil {
			t.Fatalf("read but not writable: %v", err)
		}
		if _, err := parse(again.Bytes()); err != nil {
			t.Fatalf("written but not readable: %v", err)
		}
	})
}
