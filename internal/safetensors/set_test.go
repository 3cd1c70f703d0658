package safetensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeShards makes a folder of two files and an index, and returns the index.
func writeShards(t *testing.T, index string) string {
	t.Helper()
	dir := t.TempDir()
	for name, file := range map[string][]byte{
		"a.safetensors": raw(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8),
		"b.safetensors": raw(`{"y":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 6),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "model"+IndexSuffix)
	if err := os.WriteFile(path, []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenIndex(t *testing.T) {
	s, err := Open(writeShards(t, `{"metadata":{"total_size":14,"more":[{}]},"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Names(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("names %v", got)
	}
	if dtype, shape, ok := s.Info("y"); dtype != "F16" || !slices.Equal(shape, []int{3}) || !ok {
		t.Errorf("y is %s %v", dtype, shape)
	}
	values := make([]float32, 2)
	if err := s.Decode(values, "y", 1); err != nil {
		t.Error(err)
	}
	s.Forget("y")
	for _, bad := range []struct {
		name  string
		first int
	}{{"y", 2}, {"y", -1}, {"y", 1 << 62}, {"z", 0}} {
		if err := s.Decode(values, bad.name, bad.first); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
}

func TestOpenIndexRefuses(t *testing.T) {
	long := strings.Repeat("n", maxName+1)
	tests := []struct{ name, index, want string }{
		{"empty", ``, "not valid JSON"},
		{"no object", `[]`, "belongs"},
		{"cut short", `{"weight_map":{"x":"a.safetensors"`, "not valid JSON"},
		{"no map", `{"metadata":{}}`, "weight_map"},
		{"two maps", `{"weight_map":{"x":"a.safetensors"},"weight_map":{}}`, "twice"},
		{"tensor twice", `{"weight_map":{"x":"a.safetensors","x":"b.safetensors"}}`, `"x" is there twice`},
		{"more behind it", `{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}} {}`, "goes on"},
		{"folder above", `{"weight_map":{"x":"../a.safetensors"}}`, "beside the index"},
		{"absolute", `{"weight_map":{"x":"/etc/a.safetensors"}}`, "beside the index"},
		{"folder below", `{"weight_map":{"x":"sub/a.safetensors"}}`, "beside the index"},
		{"backslash", `{"weight_map":{"x":"..\\a.safetensors"}}`, "beside the index"},
		{"drive", `{"weight_map":{"x":"C:a.safetensors"}}`, "beside the index"},
		{"other file", `{"weight_map":{"x":"config.json"}}`, "beside the index"},
		{"long name", `{"weight_map":{"` + long + `":"a.safetensors"}}`, "bytes"},
		{"no such file", `{"weight_map":{"x":"c.safetensors"}}`, "c.safetensors"},
		{"wrong file", `{"weight_map":{"x":"b.safetensors","y":"a.safetensors"}}`, `"x" is not in b.safetensors`},
		{"no such tensor", `{"weight_map":{"x":"a.safetensors","z":"b.safetensors"}}`, `"z" is not in b.safetensors`},
		{"tensor left out", `{"weight_map":{"x":"a.safetensors","y":"b.safetensors","w":"b.safetensors"}}`, `"w" is not in`},
		{"number", `{"weight_map":{"x":1}}`, "string belongs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(writeShards(t, test.index))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v does not say %q", err, test.want)
			}
		})
	}
}

// A tensor that stands in a file and not in the index is one that nobody
// would miss.
func TestOpenIndexMissesTensor(t *testing.T) {
	path := writeShards(t, `{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}`)
	more := raw(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "a.safetensors"), more, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), `"y" is in a.safetensors`) {
		t.Errorf("got %v", err)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":14},"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"x":"../a.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"x":1}}`))
	f.Fuzz(func(t *testing.T, index []byte) {
		places, err := parseIndex(index)
		for name, shard := range places {
			if err == nil && (filepath.Base(shard) != shard || len(name) > maxName) {
				t.Errorf("tensor %q in %q", name, shard)
			}
		}
	})
}
