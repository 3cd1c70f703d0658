package safetensors

import (
	"fmt"
	"testing"

	"plumb/internal/hostile"
)

// No file of 1 MiB takes 64 MiB, whatever it is full of.
func TestMemory(t *testing.T) {
	number := func(format string) func(i int) string {
		return func(i int) string { return fmt.Sprintf(format, i) }
	}
	tensor := func(i int) string {
		return fmt.Sprintf(`"%x":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]},`, i, i, i+1)
	}
	hole := `"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`
	headers := map[string][]byte{
		"tensors of nothing": hostile.FillEach("{", number(`"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`), hole),
		"tensors of a byte":  hostile.FillEach("{", tensor, hole),
		"ranks":              hostile.FillEach("{", number(`"%x":{"dtype":"U8","shape":[0,1,1,1,1,1,1,1],"data_offsets":[0,0]},`), hole),
		"metadata":           hostile.FillEach(`{"__metadata__":{`, number(`"%x":"",`), `"":""}}`),
		"escapes":            hostile.Fill(`{"__metadata__":{"a":"`, `\u4e00`, `"}}`),
		"one name":           hostile.Fill(`{"`, "a", `":{}}`),
		"nested arrays":      hostile.Fill(`{"a":`, "[", ""),
		"nested objects":     hostile.Fill("", `{"a":`, ""),
		"a long shape":       hostile.Fill(`{"a":{"dtype":"U8","shape":[`, "1,", `1]`),
		"a long number":      hostile.Fill(`{"a":{"dtype":"U8","shape":[`, "1", `]`),
		"spaces":             hostile.Fill("{", " ", "}"),
		"2^60":               []byte(`{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}`),
	}
	files := map[string][]byte{}
	for name, header := range headers {
		files[name] = raw(string(header), 0)
	}
	files["a header of 2^60"] = append([]byte("\x00\x00\x00\x00\x00\x00\x00\x10"), make([]byte, hostile.Size)...)
	hostile.Bounded(t, files, func(data []byte) error {
		_, err := parse(data)
		return err
	})
}

func TestMemoryOfIndex(t *testing.T) {
	file := func(i int) string { return fmt.Sprintf(`"%x":"%x.safetensors",`, i, i%maxShards) }
	hostile.Bounded(t, map[string][]byte{
		"tensors of a file":  hostile.FillEach(`{"weight_map":{`, func(i int) string { return fmt.Sprintf(`"%x":".safetensors",`, i) }, `"":"a.safetensors"}}`),
		"tensors and files":  hostile.FillEach(`{"weight_map":{`, file, `"":"a.safetensors"}}`),
		"other keys":         hostile.FillEach(`{`, func(i int) string { return fmt.Sprintf(`"%x":0,`, i) }, `"weight_map":{"a":"a.safetensors"}}`),
		"nested metadata":    hostile.Fill(`{"metadata":`, "[", ""),
		"metadata of arrays": hostile.Fill(`{"metadata":[`, "[],", "[]]}"),
	}, func(data []byte) error {
		_, err := parseIndex(data)
		return err
	})
}

// Every beginning of a small file and of an index is refused in one line.
func TestTruncated(t *testing.T) {
	whole := raw(`{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"__metadata__":{"a":"b"}}`, 8)
	hostile.Cut(t, whole, func(data []byte) error {
		_, err := parse(data)
		return err
	})
	index := `{"metadata":{"total_size":8},"weight_map":{"w":"a.safetensors","v":"b.safetensors"}}`
	hostile.Cut(t, []byte(index), func(data []byte) error {
		_, err := parseIndex(data)
		return err
	})
}
