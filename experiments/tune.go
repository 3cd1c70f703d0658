package experiments

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"plumb/train"
)

// A Candidate is one combination of tuned settings.
type Candidate struct {
	Keys   map[string]string // key of train → value
	Train  train.Config
	AtEdge []string // keys of which the value is the least or greatest tried
}

// candidates spreads the tuned settings: every combination over the rest.
func (t Train) candidates(r *report) []Candidate {
	flat := map[string]any{}
	flatten(t.Tune, "", flat)
	if len(flat) == 0 {
		return nil
	}
	all := []Candidate{{Keys: map[string]string{}, Train: t.Config}}
	for _, name := range r.doc.inOrder("train.tune", flat) {
		var next []Candidate
		values := t.tuneValues(name, flat[name], r)
		for _, c := range all {
			for i, value := range values {
				next = append(next, c.with(name, value, i == 0 || i == len(values)-1))
			}
		}
		if len(values) == 0 {
			return nil
		}
		all = next
	}
	return all
}

// tuneValues checks and sorts the values to try for one key.
func (t Train) tuneValues(name string, value any, r *report) []float64 {
	at := join("train.tune", name)
	list, _ := value.([]any)
	field, known := trainField(&t.Config, name)
	switch {
	case !known:
		r.at(at, "no number of [train] has this name%s", nearestSetting(name, numbersOfTrain()))
		return nil
	case r.doc.has("train." + name):
		r.at(at, "train.%s is fixed as well as tuned; remove one", name)
		return nil
	case len(list) < 2:
		r.at(at, "want a list of two values or more to choose from, got %s", describe(value))
		return nil
	}
	var values []float64
	for i, element := range list {
		f, ok := number(element)
		if !ok || decodeScalar(field, element) != nil {
			r.at(fmt.Sprintf("%s.%d", at, i), "want %s, got %s", describeType(field.Type()), describe(element))
			continue
		}
		if slices.Contains(values, f) {
			r.at(fmt.Sprintf("%s.%d", at, i), "%v stands twice", f)
		}
		values = append(values, f)
	}
	slices.Sort(values)
	return values
}

// with returns the candidate with one more setting chosen.
func (c Candidate) with(name string, value float64, edge bool) Candidate {
	next := Candidate{Keys: maps.Clone(c.Keys), Train: c.Train, AtEdge: slices.Clone(c.AtEdge)}
	field, _ := trainField(&next.Train, name)
	if field.CanFloat() {
		field.SetFloat(value)
	} else {
		field.SetInt(int64(value))
	}
	next.Keys[name] = formatValue(value)
	if edge {
		next.AtEdge = append(next.AtEdge, name)
	}
	return next
}

// trainField finds a number of a training configuration by its dotted key.
func trainField(c *train.Config, name string) (reflect.Value, bool) {
	target := reflect.ValueOf(c).Elem()
	for _, key := range strings.Split(name, ".") {
		if target.Kind() != reflect.Struct {
			return target, false
		}
		field, ok := fieldsOf(target)[key]
		if !ok {
			return target, false
		}
		target = field
	}
	return target, target.CanFloat() || target.CanInt()
}

func numbersOfTrain() []string {
	var c train.Config
	return slices.DeleteFunc(leaves(reflect.ValueOf(&c).Elem(), ""), func(path string) bool {
		_, ok := trainField(&c, path)
		return !ok
	})
}
