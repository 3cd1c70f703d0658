package model

import (
	"encoding/json"
	"fmt"
	"strings"

	"plumb/internal/registry"
)

// A Form is a way to store and run a matrix other than Dense: quantised, sparse,
// in factors. A model notes for each of its matrices the form that it is in.
// Forms are written to files as JSON, so their exported fields are what they
// need to know besides the arrays.
type Form interface {
	// Kind is the name of the form in Forms.
	Kind() string
	// Arrays lists what the form stores of a matrix [out, in] besides its bias.
	// It reports shapes that the form cannot hold.
	Arrays(out, in int) ([]Stored, error)
	// Bind returns the matrix over arrays as Arrays lists them, now with their
	// memory, which the matrix shares. It reports contents that make no sense,
	// such as an index beyond the matrix.
	Bind(out, in int, arrays []Stored, bias Bias) (Linear, error)
}

// Forms has an empty form of each kind, as a pointer for JSON to be read into.
var Forms = registry.New[func() Form]("form of a matrix")

// A Stored is one array of a form.
type Stored struct {
	Name  string // within the matrix, such as "scale"
	DType string // F32, or as safetensors calls them: I8, U8, I32, F16
	Shape []int
	Fixed bool // not to be trained; arrays of other types than F32 never are

	// Weights is how many weights of the model the array stands for, as papers
	// count them: all of a factor, the kept ones of a sparse matrix, none for
	// scales, indices and masks.
	Weights int

	Data  []float32 // of F32
	Grad  []float32 // while the model trains; nil otherwise and for fixed arrays
	Bytes []byte    // of other types, little endian, at an address that is a multiple of 8
}

// A Bias is what a matrix adds to each output, or nothing.
type Bias struct {
	Data []float32 // [out]; nil without a bias
	Grad []float32
}

// A Formed matrix is one in a form; it can be stored.
type Formed interface {
	Linear
	Form() Form
	// Values returns the arrays that Form lists, with their contents, and the
	// bias, nil without one. They share memory with the matrix.
	Values() (arrays []Stored, bias []float32)
	// Expand returns the dense matrix that this one stands for, bias included.
	// Products of both agree to rounding.
	Expand() *Dense
}

// A Table is a matrix [v, e] whose rows are embeddings.
type Table interface {
	Linear
	// LookUp sets row i of dst [t, e] to row tokens[i].
	LookUp(dst []float32, tokens []int32)
}

// A trainableTable passes gradients back to its rows.
type trainableTable interface {
	Table
	// LookUpBack adds row i of dy [t, e] to the gradient of row tokens[i].
	LookUpBack(dy []float32, tokens []int32)
}

// slotOf is what an array of a dense model belongs to: its name up to the last dot.
func slotOf(array string) string { return array[:max(0, strings.LastIndexByte(array, '.'))] }

// encodeForms writes forms by slot as JSON.
func encodeForms(forms map[string]Form) ([]byte, error) {
	all := map[string]factorForm{}
	for slot, form := range forms {
		all[slot] = factorForm{form}
	}
	return json.Marshal(all)
}

// decodeForms reads what encodeForms wrote.
func decodeForms(text string) (map[string]Form, error) {
	var all map[string]json.RawMessage
	if err := strictJSON(text, &all); err != nil {
		return nil, err
	}
	forms := map[string]Form{}
	for slot, text := range all {
		var f factorForm
		if err := f.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("%s: %w", slot, err)
		}
		forms[slot] = f.Form
	}
	return forms, nil
}
