package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// big is a file that takes several reads.
var big = strings.Repeat("0123456789abcdef", 20_000)

func twoFiles() map[string]string {
	return map[string]string{"config.json": `{"a": 1}`, "sub/folder/model.safetensors": big, "empty.txt": ""}
}

func TestFetchLaysTheCacheOutAsPythonDoes(t *testing.T) {
	h := newFakeHub(t, twoFiles())
	dir := t.TempDir()
	var last Progress
	c := h.client(dir)
	c.Progress = func(p Progress) { last = p }
	s, err := fetchAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "hub", "models--org--llama", "snapshots", commit1); s.Dir != want || s.Commit != commit1 {
		t.Errorf("folder %s, commit %s", s.Dir, s.Commit)
	}
	repo := filepath.Join(dir, "hub", "models--org--llama")
	for path, want := range map[string]string{
		"refs/main":                                              commit1,
		"blobs/" + sha256Hex(big):                                big,
		"blobs/" + gitHex(`{"a": 1}`):                            `{"a": 1}`,
		"snapshots/" + commit1 + "/config.json":                  `{"a": 1}`,
		"snapshots/" + commit1 + "/empty.txt":                    "",
		"snapshots/" + commit1 + "/sub/folder/model.safetensors": big,
	} {
		if got, err := os.ReadFile(filepath.Join(repo, path)); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if target, err := os.Readlink(filepath.Join(s.Dir, "sub/folder/model.safetensors")); target != "../../../../blobs/"+sha256Hex(big) {
		t.Errorf("link to %q, %v", target, err)
	}
	if h.tokens["content"] != 0 || h.tokens["hub"] == 0 {
		t.Errorf("the token was sent to %v", h.tokens)
	}
	if last.Done != last.Total || last.Total != int64(len(big)) {
		t.Errorf("last progress %+v", last)
	}
	checkTree(t, dir, false)

	gets := len(h.requests())
	if _, err := fetchAll(c); err != nil || len(h.requests()) != gets+1 {
		t.Errorf("a second fetch asks for %v, %v", h.requests()[gets:], err)
	}
}

func TestBadServers(t *testing.T) {
	type server struct {
		name string
		file string
		with func(h *fakeHub)
		want []string // of the error; none where the client gets over it
		gets []string // of content
	}
	refuse := func(status int, headers ...string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			http.Error(w, "the token "+canary+" is wrong", status)
			return true
		}
	}
	// first lets bad answer once, and the server as it should from then on.
	first := func(bad func(http.ResponseWriter, *http.Request, string) bool) func(http.ResponseWriter, *http.Request, string) bool {
		done := false
		return func(w http.ResponseWriter, r *http.Request, name string) bool {
			if done {
				return false
			}
			done = true
			return bad(w, r, name)
		}
	}
	sendText := func(text string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			fmt.Fprint(w, text)
			return true
		}
	}
	model := "model.safetensors"
	breaks := func(w http.ResponseWriter, r *http.Request, name string) bool { cut(w, r, big, 100_000); return true }
	tests := []server{
		{"connection breaks once", model, func(h *fakeHub) { h.send = first(breaks) }, nil, []string{model, model + " bytes=100000-"}},
		{"connection breaks every time", model, func(h *fakeHub) { h.send = breaks }, nil,
			[]string{model, model + " bytes=100000-", model + " bytes=200000-", model + " bytes=300000-"}},
		{"connection gives nothing", model, func(h *fakeHub) {
			h.send = func(w http.ResponseWriter, r *http.Request, _ string) bool { cut(w, r, big, 0); return true }
		}, []string{"broke after 0 of 320000 bytes"}, []string{model, model, model, model, model}},
		{"ranges ignored", model, func(h *fakeHub) {
			broken := first(breaks)
			h.send = func(w http.ResponseWriter, r *http.Request, name string) bool {
				return broken(w, r, name) || sendText(big)(w, r, name)
			}
		}, nil, []string{model, model + " bytes=100000-"}},
		{"another range", model, func(h *fakeHub) {
			broken := first(breaks)
			other := first(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				w.Header().Set("Content-Range", "bytes 5-319999/320000")
				w.WriteHeader(http.StatusPartialContent)
				fmt.Fprint(w, big[5:])
				return true
			})
			h.send = func(w http.ResponseWriter, r *http.Request, name string) bool {
				return broken(w, r, name) || other(w, r, name)
			}
		}, nil, []string{model, model + " bytes=100000-", model}},
		{"wrong content once", model, func(h *fakeHub) { h.send = first(sendText("X" + big[1:])) }, nil, []string{model, model}},
		{"wrong content", model, func(h *fakeHub) { h.send = sendText("X" + big[1:]) },
			[]string{"does not have the checksum " + sha256Hex(big), "proxy or a mirror"}, []string{model, model}},
		{"wrong small content", "config.json", func(h *fakeHub) { h.send = sendText(`{"a": 2}`) }, []string{"does not have the checksum"}, nil},
		{"changed while resuming", model, func(h *fakeHub) {
			broken := first(breaks)
			h.send = func(w http.ResponseWriter, r *http.Request, name string) bool {
				if !broken(w, r, name) {
					cut(w, r, strings.Repeat("x", len(big)), len(big))
				}
				return true
			}
		}, []string{"does not have the checksum"}, []string{model, model + " bytes=100000-", model}},
		{"small file changed while resuming", "config.json", func(h *fakeHub) {
			h.files["config.json"] = big
			h.send = first(breaks)
		}, nil, []string{"config.json", "config.json bytes=100000-"}},
		{"too short", model, func(h *fakeHub) { h.send = sendText(big[1:]) }, []string{"319999 bytes are offered for a file of 320000"}, nil},
		{"too long", model, func(h *fakeHub) { h.send = sendText(big + "!") }, []string{"320001 bytes are offered for a file of 320000"}, nil},
		{"too long in pieces", model, func(h *fakeHub) {
			h.send = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				w.(http.Flusher).Flush()
				fmt.Fprint(w, big+"!")
				return true
			}
		}, []string{"more bytes come than the 320000"}, nil},
		{"too short in pieces", model, func(h *fakeHub) {
			h.send = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				w.(http.Flusher).Flush()
				if r.Header.Get("Range") == "" {
					fmt.Fprint(w, big[:7])
				}
				return true
			}
		}, []string{"ended after"}, nil},
		{"size lies", model, func(h *fakeHub) {
			h.describe = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.Header().Set("X-Linked-Size", "10")
				return false
			}
		}, []string{"320000 bytes are offered for a file of 10"}, nil},
		{"size is no number", model, func(h *fakeHub) {
			h.describe = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.Header().Set("X-Linked-Size", "-5")
				return false
			}
		}, []string{`gives the size "-5"`}, nil},
		{"page in place of the file", model, func(h *fakeHub) { h.send = sendText("<html><body>Please log in") }, []string{"a web page"}, nil},
		{"page in place of the headers", "config.json", func(h *fakeHub) {
			h.describe = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.Header().Set("ETag", "")
				w.Header().Set("Content-Type", "text/html")
				return true
			}
		}, []string{"gives no checksum"}, nil},
		{"checksum is a path", model, func(h *fakeHub) {
			h.describe = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.Header().Set("X-Linked-Etag", `"../../../../etc/passwd"`)
				return false
			}
		}, []string{"gives no checksum"}, nil},
		{"another commit", model, func(h *fakeHub) {
			h.describe = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.Header().Set("X-Repo-Commit", strings.Repeat("2", 40))
				return false
			}
		}, []string{"asked for commit 1111"}, nil},
		{"range not satisfiable", model, func(h *fakeHub) { h.send = refuse(416) }, []string{"(416)"}, nil},
		{"429, then success", model, func(h *fakeHub) { h.send = first(refuse(429, "Retry-After", "3")) }, nil, []string{model, model}},
		{"429 for an hour", model, func(h *fakeHub) { h.send = refuse(429, "Retry-After", "3600") }, []string{"too many requests (429)", "set HF_TOKEN"}, []string{model}},
		{"503", model, func(h *fakeHub) { h.send = refuse(503) }, []string{"out of order (503)"}, []string{model, model, model, model, model}},
		{"401", model, func(h *fakeHub) { h.describe = refuse(401) }, []string{"(401)", "HF_TOKEN has not expired"}, nil},
		{"gated", model, func(h *fakeHub) { h.describe = refuse(403, "X-Error-Code", "GatedRepo") }, []string{"access must be granted first (403)", "/org/llama"}, nil},
		{"404", model, func(h *fakeHub) { h.describe = refuse(404) }, []string{"not found (404)"}, nil},
		{"418", model, func(h *fakeHub) { h.describe = refuse(418) }, []string{"answers with 418"}, nil},
		{"redirects for ever", model, func(h *fakeHub) {
			h.send = func(w http.ResponseWriter, r *http.Request, name string) bool {
				http.Redirect(w, r, "/"+name, http.StatusFound)
				return true
			}
		}, []string{"sent on more than 10 times"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeHub(t, map[string]string{"config.json": `{"a": 1}`, model: big})
			test.with(h)
			dir := t.TempDir()
			s, err := fetchAll(h.client(dir), test.file)
			if len(test.want) == 0 && err != nil || len(test.want) > 0 && err == nil {
				t.Fatalf("error %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "signature")) {
				t.Errorf("error %q", err)
			}
			if gets := h.requests()[1:]; test.gets != nil && !reflect.DeepEqual(gets, test.gets) {
				t.Errorf("asked for %q, want %q", gets, test.gets)
			}
			text, missing := os.ReadFile(filepath.Join(s.Dir, test.file))
			if err == nil && string(text) != h.files[test.file] || err != nil && missing == nil {
				t.Errorf("%d bytes in the cache, %v", len(text), missing)
			}
			if h.tokens["content"] != 0 {
				t.Error("the token was sent to another server")
			}
			checkTree(t, dir, err != nil)
		})
	}
}

func TestBadListings(t *testing.T) {
	sha := `{"sha": "` + commit1 + `", `
	many := sha + `"siblings": [` + strings.TrimSuffix(strings.Repeat(`{"rfilename":"a"},`, maxFiles+1), ",") + `]}`
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"page", "<html>welcome", 200, "does not answer as a hub does"},
		{"empty", "", 200, "does not answer as a hub does"},
		{"no commit", "{}", 200, "names no commit"},
		{"path as commit", `{"sha": "../../../../../../x"}`, 200, "names no commit"},
		{"up", sha + `"siblings": [{"rfilename": "../x"}]}`, 200, `refusing the file name "../x"`},
		{"up inside", sha + `"siblings": [{"rfilename": "a/../../x"}]}`, 200, "refusing the file name"},
		{"absolute", sha + `"siblings": [{"rfilename": "/etc/passwd"}]}`, 200, "refusing the file name"},
		{"backslash", sha + `"siblings": [{"rfilename": "..\\x"}]}`, 200, "refusing the file name"},
		{"drive", sha + `"siblings": [{"rfilename": "C:x"}]}`, 200, "refusing the file name"},
		{"control characters", sha + `"siblings": [{"rfilename": "a\u001b[2Jb"}]}`, 200, `refusing the file name "a\x1b[2Jb"`},
		{"empty name", sha + `"siblings": [{"rfilename": ""}]}`, 200, "refusing the file name"},
		{"long name", sha + `"siblings": [{"rfilename": "` + strings.Repeat("a", 2000) + `"}]}`, 200, "refusing the file name"},
		{"many files", many, 200, "at most 200000 are read"},
		{"401", "", 401, "private (401)"},
		{"revision", "", 404, "(404)"},
		{"500", "", 500, "out of order (500)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeHub(t, nil)
			h.list = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
				return true
			}
			dir := t.TempDir()
			c := h.client(dir)
			c.settings.token = nil
			_, err := fetchAll(c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	h := newFakeHub(t, nil)
	c := h.client(t.TempDir())
	h.hub.Close()
	_, err := fetchAll(c)
	var refused *ServerError
	if !errors.As(err, &refused) || !refused.Unreachable() || !strings.Contains(err.Error(), "no connection to "+h.hub.URL) {
		t.Errorf("error %v", err)
	}
}

func TestResumeInAnotherRun(t *testing.T) {
	h := newFakeHub(t, twoFiles())
	dir := t.TempDir()
	name := "sub/folder/model.safetensors"
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stopped")
	c := h.client(dir)
	s, err := c.Snapshot(ctx, llama, "main")
	if err != nil {
		t.Fatal(err)
	}
	h.send = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		cut(w, r, big, 50_000)
		return true
	}
	c.Progress = func(Progress) { cancel(stop) }
	if err := c.Fetch(ctx, s, []string{name}); !errors.Is(err, stop) {
		t.Fatalf("error %v", err)
	}
	h.send = nil
	part := filepath.Join(dir, "hub", "models--org--llama", "blobs", sha256Hex(big)+".incomplete")
	info, err := os.Stat(part)
	if err != nil || info.Size() == 0 {
		t.Fatalf("%v, %v", info, err)
	}
	if _, err := fetchAll(h.client(dir), name); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("model.safetensors bytes=%d-", info.Size()); !slices.Contains(h.requests(), want) {
		t.Errorf("asked for %v, not for %s", h.requests(), want)
	}
	checkTree(t, dir, false)
}

// A part that is longer than the file, or of another file, is not built upon.
func TestBadPartIsDropped(t *testing.T) {
	for name, part := range map[string]string{"other content": strings.Repeat("x", 1000), "too long": big + "x", "whole but wrong": "X" + big[1:]} {
		t.Run(name, func(t *testing.T) {
			h := newFakeHub(t, map[string]string{"model.safetensors": big})
			dir := t.TempDir()
			blobs := filepath.Join(dir, "hub", "models--org--llama", "blobs")
			if err := os.MkdirAll(blobs, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(blobs, sha256Hex(big)+".incomplete"), []byte(part), 0o666); err != nil {
				t.Fatal(err)
			}
			s, err := fetchAll(h.client(dir))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(filepath.Join(s.Dir, "model.safetensors")); string(got) != big {
				t.Error("the content is wrong")
			}
		})
	}
}

func TestStalledConnection(t *testing.T) {
	h := newFakeHub(t, twoFiles())
	release := make(chan struct{})
	h.send = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		cut(w, r, big, 1000)
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	}
	defer close(release)
	c := h.client(t.TempDir())
	c.stall = 30 * time.Millisecond
	if _, err := fetchAll(c, "sub/folder/model.safetensors"); err == nil || !strings.Contains(err.Error(), "no byte came for 30ms") {
		t.Errorf("error %v", err)
	}
}

func TestOffline(t *testing.T) {
	h := newFakeHub(t, twoFiles())
	dir := t.TempDir()
	c := h.client(dir)
	c.settings.Offline = true
	if _, err := fetchAll(c); err == nil || !strings.Contains(err.Error(), "org/llama@main is not in the cache") {
		t.Errorf("error %v", err)
	}
	if _, err := fetchAll(h.client(dir), "config.json"); err != nil {
		t.Fatal(err)
	}
	h.hub.Close()
	for _, revision := range []string{"main", commit1} {
		s, err := c.Snapshot(t.Context(), llama, revision)
		if err != nil || s.Commit != commit1 || !slices.Equal(s.Files, []string{"config.json"}) {
			t.Errorf("%s: %+v, %v", revision, s, err)
		}
	}
	s, _ := c.Snapshot(t.Context(), llama, "main")
	if err := c.Fetch(t.Context(), s, []string{"empty.txt"}); err == nil {
		t.Error("a file that is not there was fetched")
	}
}

func TestDiskFull(t *testing.T) {
	h := newFakeHub(t, twoFiles())
	dir := t.TempDir()
	c := h.client(dir)
	c.FreeDisk = func(string) (int, error) { return 1000, nil }
	_, err := fetchAll(c, "sub/folder/model.safetensors")
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "needs 320000 bytes more") {
		t.Errorf("error %v", err)
	}
	if gets := h.requests()[1:]; len(gets) != 0 {
		t.Errorf("asked for %v", gets)
	}
}

// A part whose disk fails under it leaves nothing.
func TestFailedWriteLeavesNothing(t *testing.T) {
	h := newFakeHub(t, nil)
	path := filepath.Join(t.TempDir(), "blob.incomplete")
	p, err := h.client(t.TempDir()).openPart(&remote{size: 10, sum: checksum{commit1, 10}}, path)
	if err != nil {
		t.Fatal(err)
	}
	p.file.Close()
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// Several processes that fetch the same files at once get them all, and the
// content is asked for once.
func TestConcurrentProcesses(t *testing.T) {
	if dir := os.Getenv("HUB_TEST_DIR"); dir != "" {
		s, err := FromEnvironment(os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fetchAll(c); err != nil {
			t.Fatal(err)
		}
		return
	}
	h := newFakeHub(t, twoFiles())
	h.send = func(w http.ResponseWriter, r *http.Request, name string) bool {
		time.Sleep(50 * time.Millisecond)
		return false
	}
	dir := t.TempDir()
	var commands []*exec.Cmd
	for range 4 {
		c := exec.Command(os.Args[0], "-test.run", "^TestConcurrentProcesses$")
		c.Env = append(os.Environ(), "HUB_TEST_DIR="+dir, "HF_HOME="+dir, "HF_ENDPOINT="+h.hub.URL, "HF_TOKEN="+canary)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, c)
	}
	for _, c := range commands {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	asked := 0
	for _, get := range h.requests() {
		if strings.HasPrefix(get, "model.safetensors") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the content was asked for %d times", asked)
	}
	checkTree(t, dir, false)
	s, err := fetchAll(h.client(dir))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(s.Dir, "sub/folder/model.safetensors")); string(got) != big {
		t.Error("the content is wrong")
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := FromEnvironment(environment(map[string]string{"HF_HOME": dir, "HF_HUB_OFFLINE": "yes", "HF_ENDPOINT": "https://mirror.example/hf/"}))
	if err != nil || s.token.reveal() != canary || s.Cache != filepath.Join(dir, "hub") || !s.Offline || s.Endpoint != "https://mirror.example/hf" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if text, err := json.Marshal(s); err != nil || strings.Contains(string(text), canary) {
		t.Errorf("%s, %v", text, err)
	}
	s, err = FromEnvironment(environment(map[string]string{"HOME": "/home/x", "HF_HUB_CACHE": "/c", "HF_TOKEN": "a"}))
	if err != nil || s.Cache != "/c" || s.Endpoint != DefaultEndpoint || s.token.reveal() != "a" || s.Offline {
		t.Errorf("%+v, %v", s, err)
	}
	for name, values := range map[string]map[string]string{
		"two words": {"HOME": "/h", "HF_TOKEN": canary + " x"},
		"new line":  {"HOME": "/h", "HF_TOKEN": canary + "\nX-Evil: 1"},
		"no home":   {},
	} {
		if _, err := FromEnvironment(environment(values)); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "https://user:" + canary + "@x", "https://x?y=1", "http://"} {
		if _, err := New(Settings{Endpoint: endpoint, Cache: "/c"}); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// The token goes to the endpoint only, and never unencrypted over a network.
func TestTrusts(t *testing.T) {
	tests := []struct {
		endpoint, address string
		want              bool
	}{
		{"https://hub.example", "https://hub.example/a", true},
		{"https://hub.example", "https://HUB.example/a", true},
		{"https://hub.example", "http://hub.example/a", false},
		{"https://hub.example", "https://cdn.hub.example/a", false},
		{"https://hub.example", "https://hub.example:444/a", false},
		{"https://hub.example", "https://hub.example.evil/a", false},
		{"http://mirror.lan", "http://mirror.lan/a", false},
		{"http://127.0.0.1:80", "http://127.0.0.1:80/a", true},
		{"http://127.0.0.1:80", "http://127.0.0.1:81/a", false},
	}
	for _, test := range tests {
		r, err := http.NewRequest("GET", test.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Settings{Endpoint: test.endpoint}).trusts(r.URL); got != test.want {
			t.Errorf("%s, asked for %s: %v", test.endpoint, test.address, got)
		}
	}
}

func TestParseRepo(t *testing.T) {
	for text, want := range map[string]string{"gpt2": "main", "org/a.b_c-d": "main", "org/a@v1.0": "v1.0", "org/a@refs/pr/3": "refs/pr/3"} {
		repo, revision, err := ParseRepo(Model, text)
		if err != nil || revision != want || !strings.HasPrefix(text, repo.Name) {
			t.Errorf("%s: %v, %s, %v", text, repo, revision, err)
		}
	}
	for _, text := range []string{"", "/a", "a/b/c", "../a", "a/..", "a b", "a@", "a@../x", "a@x//y", "a@/x", "a@-x", "a@x/.y", "org/a--b", "a\x1b", ".a/b", "a@x\n"} {
		if repo, revision, err := ParseRepo(Model, text); err == nil {
			t.Errorf("%q is %v at %s", text, repo, revision)
		}
	}
}

func TestPauses(t *testing.T) {
	c := &Client{jitter: func() float64 { return 1 }}
	var got []time.Duration
	for n := 1; n <= 7; n++ {
		got = append(got, c.pause(n))
	}
	want := []time.Duration{1, 2, 4, 8, 16, 30, 30}
	for i := range want {
		if got[i] != want[i]*time.Second {
			t.Errorf("pauses %v", got)
			break
		}
	}
	c.jitter = func() float64 { return 0 }
	if d := c.pause(1); d != time.Second/2 {
		t.Errorf("shortest pause %v", d)
	}
	if d := retryAfter(http.Header{"Retry-After": {"7"}}); d != 7*time.Second {
		t.Errorf("Retry-After %v", d)
	}
	if d := retryAfter(http.Header{"Retry-After": {"nonsense"}}); d != 0 {
		t.Errorf("Retry-After %v", d)
	}
}

// Whatever a server lists, files stay below the folder of their snapshot.
func FuzzListing(f *testing.F) {
	for _, name := range []string{"a", "a/b.json", "../x", "/x", `a\\b`, "a//b", "C:x", "", ".", "a/.", "\u0000"} {
		f.Add(`{"sha": "`+commit1+`", "siblings": [{"rfilename": "`+name+`"}]}`, "main")
	}
	f.Add(`{"sha": "x"}`, "refs/pr/1")
	f.Add(`{`, "../..")
	f.Fuzz(func(t *testing.T, text, revision string) {
		var l listing
		if json.Unmarshal([]byte(text), &l) != nil || checkRevision(revision) != nil {
			return
		}
		c := &Client{settings: Settings{Cache: "/cache"}}
		s, err := c.snapshotOf(llama, revision, l)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, name := range append(s.Files, "x") {
			for _, path := range []string{filepath.Join(s.Dir, name), filepath.Join(c.repoDir(llama), "refs", revision)} {
				if !strings.HasPrefix(path, "/cache/models--org--llama/") {
					t.Errorf("%q leads to %s", name, path)
				}
			}
		}
	})
}
