package experiments

import (
	"testing"

	"plumb/internal/hostile"
)

// A spec longer than any is refused before it is read, whatever it is full of.
func TestLongSpecs(t *testing.T) {
	hostile.Bounded(t, map[string][]byte{
		"a long axis": hostile.Fill("[sweep]\nlayers=[", "1,", "1]"),
		"views":       hostile.Fill("", "[[view]]\n", ""),
		"lists":       hostile.Fill("a=", "[", ""),
	}, func(data []byte) error {
		_, err := Parse("x.toml", data)
		if err == nil {
			t.Errorf("%.20q is accepted", data)
		}
		return err
	})
}
