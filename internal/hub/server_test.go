package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	commit1 = "1111111111111111111111111111111111111111"
	canary  = "hf_CanaryThatMustNotBeSeenAnywhere"
)

var llama = Repo{Model, "org/llama"}

// A fakeHub is a hub with one repository of small files, which misbehaves as a
// test demands. Files whose name ends in .safetensors are on a second server.
type fakeHub struct {
	t       *testing.T
	hub     *httptest.Server
	content *httptest.Server

	mu       sync.Mutex
	files    map[string]string
	list     func(w http.ResponseWriter, r *http.Request) bool              // true: it has answered
	describe func(w http.ResponseWriter, r *http.Request, name string) bool // likewise
	send     func(w http.ResponseWriter, r *http.Request, name string) bool
	seen     []string // "GET name range"
	tokens   map[string]int
}

func newFakeHub(t *testing.T, files map[string]string) *fakeHub {
	h := &fakeHub{t: t, files: files, tokens: map[string]int{}}
	h.hub = httptest.NewServer(http.HandlerFunc(h.serve))
	h.content = httptest.NewServer(http.HandlerFunc(h.serveContent))
	t.Cleanup(h.hub.Close)
	t.Cleanup(h.content.Close)
	return h
}

// client returns a client of h with a cache in dir and a token, that never waits.
func (h *fakeHub) client(dir string) *Client {
	h.t.Helper()
	s, err := FromEnvironment(environment(map[string]string{"HF_ENDPOINT": h.hub.URL, "HF_HOME": dir, "HF_TOKEN": canary}))
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := New(s)
	if err != nil {
		h.t.Fatal(err)
	}
	c.wait = func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }
	return c
}

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func (h *fakeHub) note(server string, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		h.tokens[server]++
	}
	if r.Method == http.MethodGet && (server == "content" || !strings.HasSuffix(r.URL.Path, ".safetensors")) {
		h.seen = append(h.seen, strings.TrimSpace(filepath.Base(r.URL.Path)+" "+r.Header.Get("Range")))
	}
}

// requests lists what was asked for so far.
func (h *fakeHub) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	h.note("hub", r)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		if h.list == nil || !h.list(w, r) {
			h.answerList(w)
		}
		return
	}
	_, name, _ := strings.Cut(r.URL.Path, "/resolve/"+commit1+"/")
	text, ok := h.files[name]
	if !ok {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		http.Error(w, "Entry not found", http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", commit1)
	large := strings.HasSuffix(name, ".safetensors")
	if large {
		w.Header().Set("X-Linked-Etag", `"`+sha256Hex(text)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(text)))
		w.Header().Set("ETag", `"of-the-pointer"`)
		w.Header().Set("Location", h.content.URL+"/"+name+"?signature=secret")
	} else {
		w.Header().Set("ETag", `"`+gitHex(text)+`"`)
	}
	if r.Method == http.MethodHead {
		if h.describe != nil && h.describe(w, r, name) {
			return
		}
		if !large {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		}
	}
	switch {
	case large:
		w.WriteHeader(http.StatusFound)
	case r.Method == http.MethodGet && (h.send == nil || !h.send(w, r, name)):
		h.serveFile(w, r, text)
	}
}

func (h *fakeHub) answerList(w http.ResponseWriter) {
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var siblings []sibling
	for name := range h.files {
		siblings = append(siblings, sibling{name})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"sha": commit1, "siblings": siblings, "extra": []int{1}})
}

func (h *fakeHub) serveContent(w http.ResponseWriter, r *http.Request) {
	h.note("content", r)
	name := strings.TrimPrefix(r.URL.Path, "/")
	if h.send == nil || !h.send(w, r, name) {
		w.Header().Set("ETag", `"of-the-store"`)
		h.serveFile(w, r, h.files[name])
	}
}

func (h *fakeHub) serveFile(w http.ResponseWriter, r *http.Request, text string) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// cut promises all of the rest of text but sends only n bytes of it.
func cut(w http.ResponseWriter, r *http.Request, text string, n int) {
	from := 0
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	rest := text[from:]
	w.Header().Set("Content-Length", strconv.Itoa(len(rest)))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(text)-1, len(text)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write([]byte(rest[:min(n, len(rest))]))
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func gitHex(text string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text))
	return hex.EncodeToString(sum[:])
}

// fetchAll fetches every file of the fake repository.
func fetchAll(c *Client, names ...string) (*Snapshot, error) {
	s, err := c.Snapshot(context.Background(), llama, DefaultRevision)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = s.Files
	}
	return s, c.Fetch(context.Background(), s, names)
}

// checkTree demands that nothing below dir holds the canary and that no file is
// left unfinished.
func checkTree(t *testing.T, dir string, mayBeUnfinished bool) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(text), canary) || strings.Contains(path, canary) {
			t.Errorf("%s holds the token", path)
		}
		if !mayBeUnfinished && strings.HasSuffix(path, ".incomplete") {
			t.Errorf("%s was left", path)
		}
		return nil
	})
}
