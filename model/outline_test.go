package model

import (
	"reflect"
	"testing"
)

// The outline of a model in any form says of its matrices what they are: places,
// shapes, factors, whether they train, and how much is stored.
func TestOutlines(t *testing.T) {
	for kind, m := range withForms(t, mustNew(t, tiny())) {
		t.Run(kind, func(t *testing.T) {
			o := m.Outline()
			size, exact, err := o.Size()
			if err != nil || !exact || size != m.Size() {
				t.Errorf("%+v, %v, %v; want %+v", size, exact, err, m.Size())
			}
			if (o.Trainable() == nil) != (m.Trainable() == nil) {
				t.Errorf("%v, but the model says %v", o.Trainable(), m.Trainable())
			}
			slots := m.Slots()
			for i, p := range o.Slots() {
				out, in := slots[i].Matrix.Shape()
				if p.Name != slots[i].Name || p.Block != slots[i].Block || p.Out != out || p.In != in || p.Trains() != canTrain(slots[i].Matrix) {
					t.Errorf("%+v, want %s [%d, %d]", p, slots[i].Name, out, in)
				}
				checkFactors(t, p, slots[i].Matrix)
			}
			if other := o.With(); !reflect.DeepEqual(other.Slots(), o.Slots()) {
				t.Error("a copy is otherwise")
			}
		})
	}
}

func checkFactors(t *testing.T, p Place, l Linear) {
	t.Helper()
	f, ok := l.(Factored)
	if !ok {
		if len(p.Factors()) > 0 {
			t.Errorf("%s has no factors", p.Name)
		}
		return
	}
	places := p.Factors()
	for i, factor := range f.Factors() {
		out, in := factor.Matrix.Shape()
		if q := places[i]; q.Name != p.Name+"."+factor.Name || q.Out != out || q.In != in {
			t.Errorf("%+v, want %s [%d, %d]", q, factor.Name, out, in)
		}
		checkFactors(t, places[i], factor.Matrix)
	}
}

// A factor of an outline takes another form where it stands.
func TestOutlinesOfFactors(t *testing.T) {
	o := OutlineOf(tiny())
	up := o.Slots()[6]
	up.Form = LowRankForm(2)
	o = o.With(up)
	left := o.Slots()[6].Factors()[1]
	left.Form, left.Open = IntForm(8, 0, false, true), true
	o = o.With(left)
	got := o.Slots()[6]
	if got.Trains() || !got.Open || got.Rounded() != true || got.Factors()[0].Rounded() || !got.Factors()[1].Rounded() {
		t.Errorf("%+v", got)
	}
	if err := o.Trainable(); err == nil {
		t.Error("a rounded factor does not train")
	}
}
