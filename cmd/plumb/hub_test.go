package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
)

const hubCommit = "0123456789abcdef0123456789abcdef01234567"

// startHub is the script command "hub DIR": it serves the repositories below
// DIR, DIR/models/OWNER/NAME/FILE and DIR/datasets/OWNER/NAME/FILE, as a hub
// does, and sets HF_ENDPOINT. A repository with a file "status" answers with the
// status that stands in it, and a file NAME.parquet.jsonl is served as Parquet.
func startHub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: hub DIR")
	}
	h := scriptHub{ts.MkAbs(args[0])}
	server := httptest.NewServer(http.HandlerFunc(h.serve))
	ts.Defer(server.Close)
	ts.Setenv("HF_ENDPOINT", server.URL)
}

type scriptHub struct{ dir string }

func (h scriptHub) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if api, ok := strings.CutPrefix(path, "api/"); ok {
		repo, _, _ := strings.Cut(api, "/revision/")
		h.list(w, filepath.Join(h.dir, filepath.FromSlash(repo)))
		return
	}
	repo, name, _ := strings.Cut(path, "/resolve/"+hubCommit+"/")
	if !strings.HasPrefix(repo, "datasets/") {
		repo = "models/" + repo
	}
	data, err := readHubFile(filepath.Join(h.dir, filepath.FromSlash(repo), filepath.FromSlash(name)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))))
	w.Header().Set("X-Repo-Commit", hubCommit)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method == http.MethodGet {
		w.Write(data)
	}
}

// list answers with the names of the files in folder.
func (h scriptHub) list(w http.ResponseWriter, folder string) {
	if text, err := os.ReadFile(filepath.Join(folder, "status")); err == nil {
		status := 0
		fmt.Sscan(string(text), &status)
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(status)
		return
	}
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var siblings []sibling
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(folder, path)
			siblings = append(siblings, sibling{strings.TrimSuffix(filepath.ToSlash(name), ".jsonl")})
		}
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"sha": hubCommit, "siblings": siblings})
}

// readHubFile returns the file, or the one of rows beside it as Parquet.
func readHubFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path + ".jsonl")
	if err != nil {
		return os.ReadFile(path)
	}
	type row struct {
		QID      string `json:"qID" parquet:"qID"`
		Sentence string `json:"sentence" parquet:"sentence"`
		Option1  string `json:"option1" parquet:"option1"`
		Option2  string `json:"option2" parquet:"option2"`
		Answer   string `json:"answer" parquet:"answer"`
	}
	var out bytes.Buffer
	table := parquet.NewGenericWriter[row](&out, parquet.Compression(&parquet.Snappy))
	for line := range bytes.Lines(text) {
		var one row
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, err
		}
		if _, err := table.Write([]row{one}); err != nil {
			return nil, err
		}
	}
	err = table.Close()
	return out.Bytes(), err
}

// checkNoCanary is the script command "nocanary DIR": no file below DIR holds
// the token of the environment.
func checkNoCanary(ts *testscript.TestScript, _ bool, args []string) {
	token := ts.Getenv("HF_TOKEN")
	if len(args) != 1 || token == "" {
		ts.Fatalf("usage: nocanary DIR, with HF_TOKEN set")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(token)) {
			return fmt.Errorf("%s holds the token", path)
		}
		return err
	}))
}
