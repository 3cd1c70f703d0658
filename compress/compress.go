// Package compress makes smaller models of trained ones. A method is one file:
// it changes matrices one by one or the model as a whole, and adds itself to
// Methods. What needs training steps is in package train.
package compress

import (
	"plumb/internal/registry"
	"plumb/model"
)

// A MatrixMethod replaces matrices one by one.
type MatrixMethod interface {
	// Needs says what the method wants to know of the inputs.
	Needs() Needs
	// Matrix returns a cheaper stand-in for w, which it must not change, and
	// what to tell of it. in is nil for a method that needs nothing.
	Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error)
}

// An Onlooker is a MatrixMethod that can do with what the uncompressed model gives
// its matrices. Others see what is left by those before them, already compressed.
type Onlooker interface {
	MatrixMethod
	// Original says whether it wants that.
	Original() bool
}

// sights are the inputs that a method may be set to see.
var sights = []string{"original", "compressed"}

// A Preparer is a MatrixMethod that changes the model as a whole before its
// matrices are replaced, as by moving scales from one to the next.
type Preparer interface {
	MatrixMethod
	// Prepare returns the model whose matrices are then replaced; m is unchanged.
	Prepare(m *model.Model, cal *Calibration) (*model.Model, Notes, error)
}

// A ModelMethod makes a smaller model.
type ModelMethod interface {
	// Model returns the smaller model; m is unchanged.
	Model(m *model.Model, cal *Calibration) (*model.Model, Notes, error)
}

// Notes are figures that a method tells of its work, by name: a rank, kept
// energy, a search's steps. They are shown and recorded, and decide nothing.
type Notes map[string]float64

// A Method is a way to compress, under its name in Methods.
type Method struct {
	About string // in a line, with its source
	// Text says that the method needs calibration text.
	Text bool
	// New returns a MatrixMethod or a ModelMethod with its default settings, as
	// a pointer to a struct whose fields a stage's settings are read into by
	// their tags `stage:"name"`. If it has a method Check() error, that is
	// asked whether the settings make sense.
	New func() any
}

// Methods are all methods by name.
var Methods = registry.New[Method]("method of compression")
