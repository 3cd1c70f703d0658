package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumb/kernels"
)

func init() {
	formed["int"] = intExample(8, 0, false, false)
	formed["int of 8 bits with zero points"] = intExample(8, 8, true, false)
	for bits := 2; bits <= 7; bits++ {
		formed[fmt.Sprintf("int of %d bits", bits)] = intExample(bits, 8, bits%2 == 1, bits > 4)
	}
	formed["w8a8"] = func(s Slot, out, in int) Linear { return w8a8Example(s, out, in, 0, nil) }
	formed["w8a8 with a fixed scale"] = func(s Slot, out, in int) Linear { return w8a8Example(s, out, in, 0.03, nil) }
	formed["w8a8 with outliers"] = func(s Slot, out, in int) Linear { return w8a8Example(s, out, in, 0, []int32{0, 3, int32(in - 1)}) }
	formed["masked"] = func(s Slot, out, in int) Linear { return must(NewMasked(pruned(s, out, in, 1, 2, 1), nil)) }
	formed["nm"] = func(s Slot, out, in int) Linear {
		if in%4 != 0 {
			return nil
		}
		return must(NewNM(pruned(s, out, in, 2, 4, 1), 2, 4))
	}
	formed["nmpanel"] = func(s Slot, out, in int) Linear {
		if in%4 != 0 {
			return nil
		}
		return must(NewPanelNM(pruned(s, out, in, 1, 4, PanelRows), 1, 4))
	}
	formed["csr"] = func(s Slot, out, in int) Linear { return must(NewCSR(pruned(s, out, in, 1, 5, 1))) }
}

func must[L any](l L, err error) L {
	if err != nil {
		panic(err)
	}
	return l
}

func intExample(bits, group int, zero, half bool) func(s Slot, out, in int) Linear {
	return func(s Slot, out, in int) Linear {
		return exampleInt(bits, group, zero, half, biasOf(s.Matrix), out, in)
	}
}

func exampleInt(bits, group int, zero, half bool, bias []float32, out, in int) *Int {
	random := rand.New(rand.NewPCG(uint64(bits), uint64(out*in)))
	each := in
	if group > 0 {
		each = min(in, group)
	}
	groups := kernels.Groups(in, each)
	q, scales, zeros := make([]uint8, out*in), make([]float32, out*groups), []uint8(nil)
	for i := range q {
		q[i] = uint8(random.IntN(1 << bits))
	}
	for i := range scales {
		scales[i] = float32(1+random.Float64()) / float32(int(2)<<bits)
		if zero {
			zeros = append(zeros, uint8(random.IntN(1<<bits)))
		}
	}
	return must(NewIntGroups(bits, group, q, scales, zeros, half, bias, out, in))
}

func w8a8Example(s Slot, out, in int, scale float32, columns []int32) Linear {
	random := rand.New(rand.NewPCG(8, uint64(out*in)))
	q, scales := make([]int8, out*in), make([]float32, out)
	for i := range q {
		if !slices.Contains(columns, int32(i%in)) {
			q[i] = int8(random.IntN(255) - 127)
		}
	}
	for i := range scales {
		scales[i] = float32(1+random.Float64()) / 300
	}
	return must(NewW8A8(q, scales, scale, columns, numbers(out*len(columns)), biasOf(s.Matrix), out, in))
}

// pruned returns a matrix that keeps n of every m inputs, the same ones for so
// many rows.
func pruned(s Slot, out, in, n, m, rows int) *Dense {
	d := &Dense{Out: out, In: in, Weight: numbers(out * in), Bias: biasOf(s.Matrix)}
	for r := range out {
		for i := range in {
			if (i+i/m+r/rows)%m >= n {
				d.Weight[r*in+i] = 0
			}
		}
	}
	return d
}

// What is stored for each number of bits is what the number says, and reads back.
func TestBitsAreStoredTightly(t *testing.T) {
	const out, in, group = 3, 40, 16
	for bits := 2; bits <= 8; bits++ {
		for _, half := range []bool{false, true} {
			l := exampleInt(bits, group, true, half, nil, out, in)
			arrays, _ := l.Values()
			scale := 4
			if half {
				scale = 2
			}
			want, got := out*5*bits+out*3*scale+out*3, 0
			for _, a := range arrays {
				got += len(a.Bytes) + 4*len(a.Data)
			}
			if got != want {
				t.Errorf("%d bits, half %v: %d bytes, want %d", bits, half, got, want)
			}
			again := must(l.Form().Bind(out, in, arrays, Bias{})).(*Int)
			if !slices.Equal(again.Expand().Weight, l.Expand().Weight) {
				t.Errorf("%d bits: other weights", bits)
			}
		}
	}
}

// A weight is scale·(q-zero), and a product that of the expanded matrix to
// rounding.
func TestIntExpandsToItsFormula(t *testing.T) {
	const out, in = 37, 44
	for _, zero := range []bool{false, true} {
		for bits := 2; bits <= 8; bits++ {
			l := exampleInt(bits, 16, zero, false, nil, out, in)
			q, d := make([]uint8, in), l.Expand()
			for r := range out {
				unpackBits(q, l.numbers[r*rowBytes(in, bits):], bits)
				for i, v := range q {
					z := 1 << bits / 2
					if zero {
						z = int(l.zero[r*3+i/16])
					}
					if want := float32(int(v)-z) * l.scale[r*3+i/16]; d.Row(r)[i] != want {
						t.Fatalf("%d bits: weight %d of row %d is %v, want %v", bits, i, r, d.Row(r)[i], want)
					}
				}
			}
			nearDense(t, fmt.Sprintf("%d bits, zero points %v", bits, zero), l, d)
		}
	}
}

// nearDense compares products of l and of the dense matrix that it stands for.
func nearDense(t *testing.T, what string, l Linear, d *Dense) {
	t.Helper()
	for _, rows := range []int{1, 2, 5} {
		x, got, want := numbers(rows*d.In), numbers(rows*d.Out), numbers(rows*d.Out)
		addProduct(got, l, x, rows, nil)
		d.ForwardAdd(want, x, rows)
		for i := range want {
			if diff := math.Abs(float64(got[i] - want[i])); !(diff < 1e-4) {
				t.Fatalf("%s, %d rows: element %d is %v, dense %v", what, rows, i, got[i], want[i])
			}
		}
	}
}

// Sparse forms give the bits of the dense matrix, whose other terms are zero.
func TestSparseFormsAreTheirDenseMatrix(t *testing.T) {
	for _, shape := range [][2]int{{1, 4}, {33, 20}, {64, 768}} {
		out, in := shape[0], shape[1]
		slot := Slot{Matrix: &Dense{Bias: numbers(out)}}
		for kind, form := range formed {
			switch Forms.Names(); strings.Fields(kind)[0] {
			case "masked", "nm", "nmpanel", "csr":
			default:
				continue
			}
			l := form(slot, out, in).(Formed)
			d := l.Expand()
			for _, rows := range []int{1, 3, 40} {
				x, got, want := numbers(rows*in), make([]float32, rows*out), make([]float32, rows*out)
				l.Forward(got, x, rows)
				d.Forward(want, x, rows)
				if !slices.Equal(got, want) {
					t.Errorf("%s [%d, %d], %d rows: other bits than the dense matrix", kind, out, in, rows)
				}
			}
		}
	}
}

// What a file says is checked before it is used.
func TestFormsRefuseNonsense(t *testing.T) {
	nan := float32(math.NaN())
	slot := Slot{Matrix: &Dense{}}
	spoil := func(l Formed, array int, change func(a *Stored)) error {
		arrays, _ := l.Values()
		for i, a := range arrays {
			arrays[i].Data, arrays[i].Bytes = slices.Clone(a.Data), slices.Clone(a.Bytes)
		}
		change(&arrays[array])
		out, in := l.Shape()
		_, err := l.Form().Bind(out, in, arrays, Bias{})
		return err
	}
	example := func(kind string) Formed { return formed[kind](slot, 40, 20).(Formed) }
	tests := []struct {
		name, want string
		err        error
	}{
		{"scale", "scale is NaN", spoil(example("int"), 1, func(a *Stored) { a.Data[3] = nan })},
		{"half scale", "scale is NaN", spoil(example("int of 6 bits"), 1, func(a *Stored) { a.Bytes[1] = 0x7C })},
		{"zero point", "beyond 3 bits", spoil(example("int of 3 bits"), 2, func(a *Stored) { a.Bytes[0] = 8 })},
		{"w8a8 scale", "scale is NaN", spoil(example("w8a8"), 1, func(a *Stored) { a.Data[0] = nan })},
		{"w8a8 weight", "-127", spoil(example("w8a8"), 0, func(a *Stored) { a.Bytes[0] = 0x80 })},
		{"w8a8 column beyond", "column 20", spoil(example("w8a8 with outliers"), 2, func(a *Stored) { a.Bytes[8] = 20 })},
		{"w8a8 column twice", "increase", spoil(example("w8a8 with outliers"), 2, func(a *Stored) { a.Bytes[4] = 0 })},
		{"w8a8 weight in a kept column", "which is kept", spoil(example("w8a8 with outliers"), 0, func(a *Stored) { a.Bytes[0] = 1 })},
		{"masked weight", "it is masked", spoil(example("masked"), 0, func(a *Stored) { a.Data[1], a.Data[2] = 1, 1 })},
		{"masked count", "are said", spoil(example("masked"), 1, func(a *Stored) { a.Bytes[0] = 0xFF })},
		{"nm places", "increasing", spoil(example("nm"), 1, func(a *Stored) { a.Bytes[0] = 0 })},
		{"nmpanel places", "", spoil(example("nmpanel"), 1, func(a *Stored) { a.Bytes[0] = 0xFF })},
		{"csr column", "column", spoil(example("csr"), 1, func(a *Stored) { a.Bytes[1] = 0xFF })},
		{"csr start", "rows from", spoil(example("csr"), 0, func(a *Stored) { a.Bytes[0] = 1 })},
		{"csr starts", "weights", spoil(example("csr"), 0, func(a *Stored) { a.Bytes[6] = 0xFF })},
	}
	for _, test := range tests {
		if test.want == "" != (test.err == nil) || test.err != nil && !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, test.err, test.want)
		}
	}
	for name, form := range map[string]Form{
		"bits": &intForm{Bits: 9}, "one bit": &intForm{Bits: 1}, "group": &intForm{Bits: 4, Group: 5},
		"kept": &w8a8Form{Kept: 21}, "fixed": &w8a8Form{Scale: -1}, "nan": &w8a8Form{Scale: nan},
		"pattern": &nmForm{pattern{3, 2}}, "divides": &nmPanelForm{pattern{2, 8}}, "many": &csrForm{Kept: 801}, "few": &maskedForm{Kept: -1},
	} {
		if _, err := form.Arrays(40, 20); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	d := &Dense{Out: 2, In: 8, Weight: numbers(16)}
	for name, make := range map[string]func() error{
		"int8 length": func() error { _, err := newInt8([]int8{1, 2}, []float32{1}, 0, nil, nil, 1, 3); return err },
		"number": func() error {
			_, err := NewIntGroups(2, 0, []uint8{4}, []float32{1}, nil, false, nil, 1, 1)
			return err
		},
		"w8a8 length":   func() error { _, err := NewW8A8([]int8{1}, []float32{1}, 0, []int32{0}, nil, nil, 1, 1); return err },
		"dense as nm":   func() error { _, err := NewNM(d, 2, 4); return err },
		"dense panel":   func() error { _, err := NewPanelNM(d, 2, 4); return err },
		"mask's length": func() error { _, err := NewMasked(d, []bool{true}); return err },
	} {
		if make() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestHalvesRoundToNearest(t *testing.T) {
	for h := range 1 << 16 {
		v := fromHalf(uint16(h))
		if got := toHalf(v); got != uint16(h) && v == v {
			t.Fatalf("%04x is %v and then %04x", h, v, got)
		}
		if next := fromHalf(uint16(h + 1)); h&0x7FFF < 0x7BFF {
			middle := (float64(v) + float64(next)) / 2
			want := uint16(h + h&1) // the even one
			if got := toHalf(float32(middle)); got != want {
				t.Fatalf("halfway behind %04x: %04x", h, got)
			}
		}
	}
}

// newInt8 returns the matrix [out, in] scale·(q-zero) of 8 bits with a scale for
// each group of inputs of a row [out, ceil(in/group)], or for each row where
// group is 0. zero is as long as the scales, or nil for 0. It takes what
// NewIntGroups takes otherwise.
func newInt8(q []int8, scales []float32, group int, zero []int8, bias []float32, out, in int) (*Int, error) {
	up := func(x []int8) []uint8 {
		if x == nil {
			return nil
		}
		y := make([]uint8, len(x))
		for i, v := range x {
			y[i] = uint8(int(v) + 128)
		}
		return y
	}
	return NewIntGroups(8, group, up(q), scales, up(zero), false, bias, out, in)
}
