package hub

import (
	"slices"
	"strings"
	"testing"
)

func TestModelFiles(t *testing.T) {
	tests := []struct {
		name, files string
		want        string // files, or part of the error after "!"
	}{
		{"one file", "README.md config.json model.safetensors pytorch_model.bin tokenizer.json onnx/model.onnx", "config.json model.safetensors tokenizer.json"},
		{"parts", "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json tokenizer.model",
			"config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json tokenizer.model"},
		{"a part is missing", "config.json model-00002-of-00002.safetensors model.safetensors.index.json", "!has model-00002-of-00002.safetensors where model-00001"},
		{"the last part is missing", "config.json model-00001-of-00002.safetensors model.safetensors.index.json", "!1 of 2 parts"},
		{"no index", "config.json model-00001-of-00001.safetensors", "!no model.safetensors.index.json"},
		{"no config", "model.safetensors", "!no config.json"},
		{"other name", "config.json adapter.safetensors", "!no model.safetensors, but adapter.safetensors; choose with --file"},
		{"gguf", "config.json a-q4.gguf a-q8.gguf", "!choose one with --file"},
		{"pickle", "config.json pytorch_model.bin", "!safe_serialization=True"},
		{"nothing", "README.md", "!has no weights"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &Snapshot{Repo: llama, Files: strings.Fields(test.files)}
			got, err := s.ModelFiles()
			if want, bad := strings.CutPrefix(test.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, want)
				}
				return
			}
			if err != nil || !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestMatching(t *testing.T) {
	s := &Snapshot{Repo: llama, Revision: "main", Files: []string{"a.json", "b.json", "sub/c.json"}}
	if got, err := s.Matching("*.json", "sub/*", "a.json"); err != nil || !slices.Equal(got, s.Files) {
		t.Errorf("%v, %v", got, err)
	}
	for _, pattern := range []string{"*.gguf", "[", "../*"} {
		if got, err := s.Matching(pattern); err == nil {
			t.Errorf("%s fits %v", pattern, got)
		}
	}
}
