// Package plots draws figures from tables of records and from loss curves, fit
// for a column of a paper: SVG and PNG with the same bytes whenever the records
// are the same.
package plots

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"os"
	"path/filepath"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"plumb/internal/atomicfile"
	"plumb/internal/registry"
	"plumb/results"
)

// An Input is what a figure is drawn from.
type Input struct {
	View   results.View
	Table  *results.Table  // of the view; not needed by curves
	Curves []results.Curve // only needed by curves
}

// A Kind draws one kind of figure, or says why the input does not fit it.
type Kind func(in Input) (*Figure, error)

// Kinds holds the kinds of figure by the name that a view's Figure has.
var Kinds = registry.New[Kind]("kind of figure")

// A Figure is a finished drawing.
type Figure struct {
	Title         string // what a screen reader says
	Width, Height vg.Length
	draw          func(c draw.Canvas)
}

// Draw draws the figure that in.View asks for.
func Draw(in Input) (*Figure, error) {
	kind, err := Kinds.Get(in.View.Figure)
	if err != nil {
		return nil, err
	}
	figure, err := kind(in)
	if err != nil {
		return nil, fmt.Errorf("figure %s (%s): %w", in.View.Slug(), in.View.Figure, err)
	}
	return figure, nil
}

// on draws the figure on a canvas of its size.
func (f *Figure) on(c vg.Canvas) {
	vg.Initialize(c)
	area := draw.NewCanvas(c, f.Width, f.Height)
	c.SetColor(color.White)
	c.Fill(area.Rectangle.Path())
	f.draw(area)
}

// SVG returns the figure as a file in which text is outlines, with the words
// beside them as titles.
func (f *Figure) SVG() []byte {
	c := newSVG(f.Height)
	f.on(c)
	return c.document(f.Width, f.Height, f.Title)
}

// pixelsPerInch is the resolution of PNG files, what printers want.
const pixelsPerInch = 300

// PNG returns the figure in pixels, 300 to the inch.
func (f *Figure) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(pixelsPerInch))
	f.on(outlined{c})
	var b bytes.Buffer
	if err := png.Encode(&b, c.Image()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write writes folder/name.svg and folder/name.png, each whole or not at all,
// and returns their paths.
func (f *Figure) Write(folder, name string) (paths []string, err error) {
	pixels, err := f.PNG()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	files := []struct {
		ending string
		data   []byte
	}{{".svg", f.SVG()}, {".png", pixels}}
	for _, file := range files {
		path := filepath.Join(folder, name+file.ending)
		if err := atomicfile.Write(path, file.data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
