package kernels

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesEndWithGeneric(t *testing.T) {
	names := Names()
	if names[len(names)-1] != "generic" || !slices.Contains(names, Chosen()) {
		t.Errorf("names %v, chosen %q", names, Chosen())
	}
}

func TestUse(t *testing.T) {
	was := Chosen()
	defer Use(was)
	for _, name := range Names() {
		if err := Use(name); err != nil || Chosen() != name {
			t.Errorf("Use(%q): %v, chosen %q", name, err, Chosen())
		}
	}
	err := Use("mmx")
	if err == nil || !strings.Contains(err.Error(), "generic") {
		t.Errorf("Use of an unknown name: %v", err)
	}
}

func TestPeak(t *testing.T) {
	onEach(t, func(t *testing.T) {
		if p := Peak(); p < 1e7 || p > 1e13 {
			t.Errorf("peak of %v operations per second", p)
		}
	})
}
