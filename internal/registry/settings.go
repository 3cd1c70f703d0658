package registry

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A Setting is name=value, as the settings of a variant are written.
type Setting struct{ Name, Value string }

// settingTag names a field that a setting fills: `stage:"keep"`.
const settingTag = "stage"

// Fill sets the field of the struct that into points to whose tag `stage:"name"`
// names set, also of an embedded struct. A name that no field has is an error that lists those which there
// are, and so is a value of another type.
func Fill(into any, set Setting) error {
	v := reflect.ValueOf(into).Elem()
	var known []string
	for _, field := range reflect.VisibleFields(v.Type()) {
		name := field.Tag.Get(settingTag)
		if name == set.Name {
			return parse(v.FieldByIndex(field.Index), set)
		}
		if name != "" {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("no setting %q; this stage has none", set.Name)
	}
	return fmt.Errorf("no setting %q; this stage has %s%s", set.Name, strings.Join(known, ", "), Hint(set.Name, known))
}

// Settings lists the settings of the struct that of points to, with the values
// that they have, in the order of its fields. A text that is empty is no value.
func Settings(of any) []Setting {
	v := reflect.ValueOf(of).Elem()
	var all []Setting
	for _, field := range reflect.VisibleFields(v.Type()) {
		name := field.Tag.Get(settingTag)
		if name == "" {
			continue
		}
		if value := written(v.FieldByIndex(field.Index)); value != "" {
			all = append(all, Setting{name, value})
		}
	}
	return all
}

// written is a value as Fill reads it.
func written(field reflect.Value) string {
	switch field.Kind() {
	case reflect.Float64:
		return strconv.FormatFloat(field.Float(), 'g', -1, 64)
	default:
		return fmt.Sprint(field.Interface())
	}
}

// parse reads the value of set into a field.
func parse(field reflect.Value, set Setting) error {
	var err error
	switch field.Kind() {
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(set.Value)
		field.SetBool(b)
	case reflect.Int:
		var f float64 // so that 2e6 is a number of tokens
		f, err = strconv.ParseFloat(set.Value, 64)
		if err == nil && f != float64(int64(f)) {
			err = errors.New("not a whole number")
		}
		field.SetInt(int64(f))
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(set.Value, 64)
		field.SetFloat(f)
	case reflect.String:
		field.SetString(set.Value)
	default:
		panic("registry: a setting of type " + field.Type().String())
	}
	if err != nil {
		var wrong *strconv.NumError
		if errors.As(err, &wrong) {
			err = wrong.Err
		}
		return fmt.Errorf("%s=%s: %w; wanted is a %s", set.Name, set.Value, err, field.Type())
	}
	return nil
}
