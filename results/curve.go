package results

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"plumb/internal/atomicfile"
)

// A Curve is the loss of one trial against the tokens it has trained on.
type Curve struct {
	Experiment string            `json:"experiment"`
	Trial      string            `json:"trial"`
	Seed       uint64            `json:"seed"`
	Keys       map[string]string `json:"keys"` // as in the trial's records
	Status     Status            `json:"status"`
	Points     []Point           `json:"-"`
}

// A Point is the state of a training run after Step optimiser steps. A loss
// that was not measured there, or was no number, is nil.
type Point struct {
	Step   int      `json:"step"`
	Tokens int64    `json:"tokens"`          // trained on so far
	Train  *float64 `json:"train,omitempty"` // nats per token, mean over the batch
	Valid  *float64 `json:"valid,omitempty"` // nats per token of the validation text
}

// curveHeader is the first line of a curve file.
type curveHeader struct {
	Format string `json:"format"`
	Curve
	Count int `json:"points"`
}

const curveFormat = "plumb curve 1"

// Check says what keeps c from being stored.
func (c Curve) Check() error {
	for i, p := range c.Points {
		for _, v := range []*float64{p.Train, p.Valid} {
			if v != nil && !finite(*v) {
				return fmt.Errorf("curve of trial %q, step %d: loss %v is no finite number; leave it nil", c.Trial, p.Step, *v)
			}
		}
		if i > 0 && p.Tokens < c.Points[i-1].Tokens {
			return fmt.Errorf("curve of trial %q, step %d: %d tokens after %d", c.Trial, p.Step, p.Tokens, c.Points[i-1].Tokens)
		}
	}
	texts := []string{c.Experiment, c.Trial, string(c.Status)}
	for key, value := range c.Keys {
		texts = append(texts, key, value)
	}
	return validText(texts...)
}

// WriteCurve puts c at path, a sealed line a point behind a header, or leaves
// path as it was.
func WriteCurve(path string, c Curve) error {
	if err := c.Check(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writeSealed(&b, curveHeader{curveFormat, c, len(c.Points)}); err != nil {
		return err
	}
	for _, p := range c.Points {
		if err := writeSealed(&b, p); err != nil {
			return err
		}
	}
	return atomicfile.Write(path, b.Bytes())
}

// ReadCurve reads what WriteCurve wrote. What has changed since is a *CorruptError.
func ReadCurve(path string) (Curve, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Curve{}, err
	}
	return parseCurve(path, data)
}

// parseCurve reads the bytes of the file called path.
func parseCurve(path string, data []byte) (Curve, error) {
	lines, whole, torn := sealedLines(data)
	corrupt := func(line int, err error) (Curve, error) {
		return Curve{}, &CorruptError{File: path, Line: line, Reason: err.Error()}
	}
	if torn > 0 || whole == 0 {
		return corrupt(whole+1, errors.New("the file is cut off"))
	}
	var c Curve
	for i, line := range lines {
		if i == 0 {
			var head curveHeader
			if err := unseal(line, &head); err != nil {
				return corrupt(1, err)
			}
			if head.Format != curveFormat || head.Count != whole-1 {
				return corrupt(1, fmt.Errorf("format %q with %d points, but this program reads %q and there are %d", head.Format, head.Count, curveFormat, whole-1))
			}
			c = head.Curve
			continue
		}
		var p Point
		if err := unseal(line, &p); err != nil {
			return corrupt(i+1, err)
		}
		c.Points = append(c.Points, p)
	}
	if err := c.Check(); err != nil {
		return corrupt(0, err)
	}
	return c, nil
}
