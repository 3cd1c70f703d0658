package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// hfConfig reads the fields of a foreign config.json and keeps count of them,
// so that a field which nobody understood is an error and not an oversight.
type hfConfig struct {
	raw  map[string]json.RawMessage
	used map[string]bool
	errs []error
}

func (r *hfConfig) get(key string, into any) bool {
	r.ignore(key)
	raw, ok := r.raw[key]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", key, err))
		return false
	}
	return true
}

func (r *hfConfig) integer(key string) int {
	var v int
	if !r.get(key, &v) {
		r.errs = append(r.errs, fmt.Errorf("%s is missing", key))
	}
	return v
}

func (r *hfConfig) integerOr(key string, otherwise int) int {
	v := otherwise
	r.get(key, &v)
	return v
}

func (r *hfConfig) numberOr(key string, otherwise float64) float64 {
	v := otherwise
	r.get(key, &v)
	return v
}

func (r *hfConfig) flag(key string) bool {
	v := false
	r.get(key, &v)
	return v
}

// mustBe refuses any other value of key than want.
func (r *hfConfig) mustBe(key, want string) {
	v := want
	if r.get(key, &v) && v != want {
		r.errs = append(r.errs, fmt.Errorf("%s is %q; only %q is supported here", key, v, want))
	}
}

// absent refuses keys that change what the model computes, unless they are
// null or false.
func (r *hfConfig) absent(keys ...string) {
	for _, key := range keys {
		r.ignore(key)
		if raw, ok := r.raw[key]; ok && string(raw) != "null" && string(raw) != "false" {
			r.errs = append(r.errs, fmt.Errorf("%s = %s is not supported", key, raw))
		}
	}
}

// ignore names keys that change nothing.
func (r *hfConfig) ignore(keys ...string) {
	if r.used == nil {
		r.used = map[string]bool{}
	}
	for _, key := range keys {
		r.used[key] = true
	}
}

// problems returns everything that was wrong, unknown keys included.
func (r *hfConfig) problems() error {
	for _, key := range slices.Sorted(maps.Keys(r.raw)) {
		if !r.used[key] {
			r.errs = append(r.errs, fmt.Errorf("unknown key %s = %s", key, r.raw[key]))
		}
	}
	return errors.Join(r.errs...)
}
