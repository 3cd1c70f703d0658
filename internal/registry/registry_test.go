package registry

import (
	"strings"
	"testing"
)

func TestGetSuggestsTheNearestName(t *testing.T) {
	s := New[int]("sharing")
	for i, name := range []string{"none", "immediate", "cyclic", "reverse"} {
		s.Add(name, i)
	}
	if v, err := s.Get("cyclic"); err != nil || v != 2 {
		t.Fatalf("Get(cyclic) = %d, %v", v, err)
	}
	_, err := s.Get("imediate")
	want := `no sharing named "imediate" (have cyclic, immediate, none, reverse); did you mean "immediate"?`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := s.Get("zzzzzzzzzz"); strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a far name got a suggestion: %v", err)
	}
}

func TestAddTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s := New[int]("task")
	s.Add("x", 1)
	s.Add("x", 2)
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"layres", "layers", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}}
	for _, test := range tests {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
