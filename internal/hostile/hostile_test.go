package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// Peak sees what was held for a moment, and the next one does not.
func TestPeak(t *testing.T) {
	const large = 40 << 20
	if peak := Peak(func() { kept = make([]byte, large); kept[large/2] = 1; kept = nil }); peak < large || peak > large+large/4 {
		t.Errorf("%d bytes at the peak with %d held", peak, large)
	}
	if peak := Peak(func() { kept = make([]byte, 1<<20) }); peak > 4<<20 {
		t.Errorf("%d bytes at the peak of one MiB", peak)
	}
}

var kept []byte

func TestFill(t *testing.T) {
	a, b := Fill("[", "1,", "]"), FillEach("[", func(i int) string { return fmt.Sprint(i, ",") }, "]")
	for _, data := range [][]byte{a, b} {
		if text := string(data); len(text) > Size || len(text) < Size-8 || !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, ",]") {
			t.Errorf("%d bytes, %.8s ... %s", len(text), text, text[len(text)-8:])
		}
	}
}
