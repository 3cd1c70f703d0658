package experiments

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A chosen type reads itself from a TOML value of more than one kind, such as
// vocab, a number or "bytes".
type chosen interface {
	choose(value any) error
}

// decode fills target from value, which stands at path of the document, and
// reports every unknown key and wrong type on the way.
func (r *report) decode(target reflect.Value, value any, path string) {
	if c, ok := target.Addr().Interface().(chosen); ok {
		if err := c.choose(value); err != nil {
			r.at(path, "%v", err)
		}
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		r.decodeStruct(target, value, path)
	case reflect.Slice:
		r.decodeSlice(target, value, path)
	case reflect.Map, reflect.Interface:
		r.decodeFree(target, value, path)
	case reflect.Pointer:
		fresh := reflect.New(target.Type().Elem())
		r.decode(fresh.Elem(), value, path)
		target.Set(fresh)
	default:
		if err := decodeScalar(target, value); err != nil {
			r.at(path, "%v", err)
		}
	}
}

func (r *report) decodeStruct(target reflect.Value, value any, path string) {
	table, ok := value.(map[string]any)
	if !ok {
		r.at(path, "want a table, got %s", describe(value))
		return
	}
	fields := fieldsOf(target)
	for _, key := range sortedKeys(table) {
		field, known := fields[key]
		if !known {
			r.unknown(join(path, key), key, sortedKeys(fields))
			continue
		}
		r.decode(field, table[key], join(path, key))
	}
}

// unknown reports a key that nothing reads, with the nearest one that is read.
func (r *report) unknown(path, key string, known []string) {
	if why, later := reserved[path]; later {
		r.at(path, "%s", why)
		return
	}
	if near := registry.Nearest(key, known); near != "" {
		r.at(path, "unknown key; did you mean %q?", near)
		return
	}
	r.at(path, "unknown key (have %s)", strings.Join(known, ", "))
}

func (r *report) decodeSlice(target reflect.Value, value any, path string) {
	list, ok := value.([]any)
	if !ok {
		r.at(path, "want %s, got %s", describeType(target.Type()), describe(value))
		return
	}
	out := reflect.MakeSlice(target.Type(), len(list), len(list))
	for i, element := range list {
		r.decode(out.Index(i), element, join(path, strconv.Itoa(i)))
	}
	target.Set(out)
}

// decodeFree keeps tables whose keys are read later, such as [sweep].
func (r *report) decodeFree(target reflect.Value, value any, path string) {
	v := reflect.ValueOf(value)
	if !v.IsValid() || !v.Type().AssignableTo(target.Type()) {
		r.at(path, "want a table, got %s", describe(value))
		return
	}
	target.Set(v)
}

func decodeScalar(target reflect.Value, value any) error {
	wrong := fmt.Errorf("want %s, got %s", describeType(target.Type()), describe(value))
	switch target.Kind() {
	case reflect.String:
		s, ok := value.(string)
		if !ok {
			return wrong
		}
		target.SetString(s)
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return wrong
		}
		target.SetBool(b)
	case reflect.Float64, reflect.Float32:
		f, ok := number(value)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return wrong
		}
		target.SetFloat(f)
	default:
		return decodeInteger(target, value, wrong)
	}
	return nil
}

// decodeInteger takes integers and floats without a fraction, so that 2e7
// tokens can be written.
func decodeInteger(target reflect.Value, value any, wrong error) error {
	f, ok := number(value)
	i, exact := value.(int64)
	if !exact {
		i = int64(f)
	}
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<62 {
		return wrong
	}
	switch {
	case target.CanInt() && !target.OverflowInt(i):
		target.SetInt(i)
	case target.CanUint() && i < 0:
		return fmt.Errorf("want an integer of at least 0, got %d", i)
	case target.CanUint() && !target.OverflowUint(uint64(i)):
		target.SetUint(uint64(i))
	default:
		return fmt.Errorf("%d does not fit", i)
	}
	return nil
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// fieldsOf returns the settable fields of a struct by their toml tags. Fields
// of embedded structs count as its own, except those that it has itself and
// those that the tag of the embedded one leaves out: toml:",without=vocab name".
func fieldsOf(target reflect.Value) map[string]reflect.Value {
	own, fields := map[string]reflect.Value{}, map[string]reflect.Value{}
	for i := range target.NumField() {
		field := target.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			maps.Copy(fields, embeddedFields(target.Field(i), field.Tag.Get("toml")))
		} else if name := tomlName(field); name != "" {
			own[name] = target.Field(i)
		}
	}
	maps.Copy(fields, own)
	return fields
}

func embeddedFields(target reflect.Value, tag string) map[string]reflect.Value {
	fields := fieldsOf(target)
	_, without, _ := strings.Cut(tag, ",without=")
	for _, name := range strings.Fields(without) {
		delete(fields, name)
	}
	return fields
}

// tomlName is the key of a field, or "" for a field that no spec sets.
func tomlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
	if name == "-" || !field.IsExported() {
		return ""
	}
	return name
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// describe says what a TOML value is, for error messages.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64:
		return fmt.Sprintf("the integer %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case nil:
		return "nothing"
	}
	return fmt.Sprintf("the date %v", value)
}

// describeType says what a field takes, for error messages.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "a list of tables"
		}
		plural := strings.TrimPrefix(strings.TrimPrefix(describeType(t.Elem()), "a "), "an ")
		return "a list of " + plural + "s"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return "an integer"
}
