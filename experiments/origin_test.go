package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An origin is what was written, or an error that says what would help.
func TestOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if o, err := ReadOrigin(dir); o != nil || err != nil {
		t.Fatalf("%+v, %v of a model without one", o, err)
	}
	written := Origin{Model: "m", Recipe: "rtn bits=8", ID: "1", Foreign: true}
	if err := written.Write(dir); err != nil {
		t.Fatal(err)
	}
	written.Format = originFormat
	if o, err := ReadOrigin(dir); err != nil || o == nil || *o != written {
		t.Fatalf("%+v, %v, want %+v", o, err, written)
	}
	path := filepath.Join(dir, originFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := []string{"[]", `{"format":"plumb-origin-9"}`, string(whole) + strings.Repeat(" ", mostOrigin)}
	for n := range len(whole) - 1 { // all but the last line feed
		broken = append(broken, string(whole[:n]))
	}
	for _, text := range broken {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if o, err := ReadOrigin(dir); o != nil || err == nil || !strings.Contains(err.Error(), "make the model again") {
			t.Errorf("%.40q of %d bytes: %+v, %v", text, len(text), o, err)
		}
	}
}
