package registry

import (
	"reflect"
	"testing"
)

type sample struct {
	Keep   float64 `stage:"keep"`
	Tokens int     `stage:"tokens"`
	Rule   string  `stage:"rule"`
	Exact  bool    `stage:"exact"`
	Only   string  `stage:"only"` // empty in these tests, and so not listed
	hidden int
}

// What Settings lists, Fill reads back.
func TestSettingsAreReadAsListed(t *testing.T) {
	var s sample
	for _, set := range []Setting{{"keep", "0.3"}, {"tokens", "2e6"}, {"rule", "energy"}, {"exact", "true"}} {
		if err := Fill(&s, set); err != nil {
			t.Fatal(err)
		}
	}
	if want := (sample{Keep: 0.3, Tokens: 2_000_000, Rule: "energy", Exact: true}); s != want {
		t.Fatalf("got %+v, want %+v", s, want)
	}
	all := Settings(&s)
	if want := []Setting{{"keep", "0.3"}, {"tokens", "2000000"}, {"rule", "energy"}, {"exact", "true"}}; !reflect.DeepEqual(all, want) {
		t.Fatalf("got %v, want %v", all, want)
	}
	var again sample
	for _, set := range all {
		if err := Fill(&again, set); err != nil {
			t.Fatal(err)
		}
	}
	if again != s {
		t.Errorf("read again: %+v, want %+v", again, s)
	}
}

func TestFillRefuses(t *testing.T) {
	tests := []struct {
		set  Setting
		want string
	}{
		{Setting{"kep", "1"}, `no setting "kep"; this stage has keep, tokens, rule, exact, only; did you mean "keep"?`},
		{Setting{"hidden", "1"}, `no setting "hidden"; this stage has keep, tokens, rule, exact, only`},
		{Setting{"tokens", "1.5"}, "tokens=1.5: not a whole number; wanted is a int"},
		{Setting{"tokens", "1e300"}, "tokens=1e300: not a whole number; wanted is a int"},
		{Setting{"keep", "half"}, "keep=half: invalid syntax; wanted is a float64"},
	}
	for _, test := range tests {
		if err := Fill(&sample{}, test.set); err == nil || err.Error() != test.want {
			t.Errorf("%v: got %v, want %s", test.set, err, test.want)
		}
	}
	var none struct{}
	if err := Fill(&none, Setting{"x", "1"}); err == nil || err.Error() != `no setting "x"; this stage has none` {
		t.Errorf("got %v", err)
	}
}
