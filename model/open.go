package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Load reads the model at path: a folder that Save wrote, a folder in the
// layout of Hugging Face (see hf.go), a GGUF file or a checkpoint of llama2.c.
func Load(path string) (*Model, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return loadFolder(path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is neither a folder nor a file", path)
	}
	return loadFile(path)
}

// loadFile tells the formats of single files apart by how they begin.
func loadFile(path string) (*Model, error) {
	start, err := beginning(path)
	switch {
	case err != nil:
		return nil, err
	case bytes.HasPrefix(start, []byte("GGUF")):
		return loadGGUF(path)
	case isPickle(start):
		return nil, fmt.Errorf("%s: %w", path, ErrPickle)
	case filepath.Ext(path) == ".safetensors":
		return nil, fmt.Errorf("%s: give the folder that holds it beside its %s", path, ConfigFile)
	case filepath.Ext(path) == ".bin":
		return loadLlama2C(path)
	}
	return nil, fmt.Errorf("%s is no model: neither GGUF nor a .bin of llama2.c; other models are folders", path)
}

// ErrPickle refuses what runs code when it is read.
var ErrPickle = errors.New("a PyTorch pickle can run code and is not read: load it in Python and write it with save_pretrained(folder, safe_serialization=True)")

// isPickle reports whether a file begins as PyTorch's do: as a zip archive or
// as a bare pickle of protocol 2 to 5, whose third byte is an instruction (the
// width 640 of llama2.c has zeros there).
func isPickle(start []byte) bool {
	return bytes.HasPrefix(start, []byte("PK\x03\x04")) || len(start) == 4 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5 && start[2] != 0
}

// beginning returns the first bytes of a file, four at most.
func beginning(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	start := make([]byte, 4)
	n, err := io.ReadFull(f, start)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return start[:n], err
}
