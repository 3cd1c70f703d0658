package compress

import (
	"fmt"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("rtn", Method{
		About: "each weight rounded to the nearest of 2^bits codes",
		New:   func() any { return &rtn{grid: gridOf(8), Per: "group"} },
	})
}

// rtn rounds each weight to the nearest code, without looking at any other.
type rtn struct {
	grid
	Per string `stage:"per"` // group: scales as group says; tensor: one for the matrix
}

func (r *rtn) Check() error {
	switch {
	case r.Per != "group" && r.Per != "tensor":
		return fmt.Errorf("per=%s: group or tensor is wanted", r.Per)
	case r.Per == "tensor" && r.Group != 0:
		return fmt.Errorf("per=tensor and group=%d: a matrix has one scale or one for each group", r.Group)
	}
	return r.grid.Check()
}

func (r *rtn) Needs() Needs { return Nothing }

func (r *rtn) Matrix(w *model.Dense, _ *Inputs) (model.Linear, Notes, error) {
	var c *codes
	if r.Per == "tensor" {
		c = r.ofOneScale(w)
	} else {
		c = r.nearest(w)
	}
	l, err := r.linear(c, w.Bias)
	return l, nil, err
}

// ofOneScale fits one grid to all of w. It is stored with every row, which costs
// no more than 16 bits a row, or 24 with a zero.
func (r *rtn) ofOneScale(w *model.Dense) *codes {
	c := r.newCodes(w)
	one := r.fit(w.Weight)
	for i := range c.grids {
		c.grids[i] = kernels.Grid(one)
	}
	c.quantise(w.Weight)
	return c
}
