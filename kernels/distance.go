package kernels

import "math"

// SquaredDistance adds the mean squared difference of each row of x and y
// [t, c], and its gradient with respect to x times scale:
//
//	losses[r] += mean((x[r] - y[r])²)
//	dx[r]     += 2·(x[r] - y[r]) / c · scale
//
// t is len(targets); a row whose target is -1 is left out. Sums are taken in
// float64 over 16 lanes. It panics if lengths do not fit.
func SquaredDistance(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32) {
	compareRows("SquaredDistance", distanceCall{dx, losses, x, y, targets, scale, squaredRow})
}

// CosineDistance is 1 less the cosine of the angle between each row of x and y
// [t, c], added likewise (DistilBERT, section 3):
//
//	losses[r] += 1 - x·y / (|x|·|y|)
//	dx[r]     += (x·cos/|x|² - y/(|x|·|y|)) · scale
//
// A row that is 0 in x or y has distance 1 and no gradient.
func CosineDistance(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32) {
	compareRows("CosineDistance", distanceCall{dx, losses, x, y, targets, scale, cosineRow})
}

type distanceCall struct {
	dx      []float32
	losses  []float64
	x, y    []float32
	targets []int32
	scale   float32
	row     func(dx, x, y []float32, scale float32) float64
}

func compareRows(kernel string, a distanceCall) {
	t := len(a.targets)
	mustFit(len(a.losses) == t && len(a.x) == len(a.y) && len(a.dx) == len(a.x) && (t > 0 || len(a.x) == 0), kernel)
	if t > 0 {
		mustFit(len(a.x)%t == 0, kernel)
		distancePieces.run(t, rowsPerTask(len(a.x)/t), a)
	}
}

var distancePieces = inPieces(func(a *distanceCall, from, to int) {
	c := len(a.x) / len(a.targets)
	for r := from; r < to; r++ {
		if a.targets[r] >= 0 {
			a.losses[r] += a.row(a.dx[r*c:(r+1)*c], a.x[r*c:(r+1)*c], a.y[r*c:(r+1)*c], a.scale)
		}
	}
})

func squaredRow(dx, x, y []float32, scale float32) float64 {
	var sum [lanes]float64
	factor := float32(2 * float64(scale) / float64(len(x)))
	for i, v := range x {
		d := v - y[i]
		sum[i%lanes] += float64(d) * float64(d)
		dx[i] += float32(factor * d)
	}
	return foldSum64(&sum) / float64(len(x))
}

func cosineRow(dx, x, y []float32, scale float32) float64 {
	xx, yy, xy := product64(x, x), product64(y, y), product64(x, y)
	norms := math.Sqrt(float64(xx * yy))
	if norms == 0 {
		return 1
	}
	if xx == yy && xx == xy {
		return 0 // the same row, of which rounding would leave something
	}
	cos := xy / norms
	along, across := float32(float64(scale)*cos/xx), float32(float64(scale)/norms)
	for i, v := range x {
		dx[i] += float32(along*v) - float32(across*y[i])
	}
	return 1 - cos
}

// product64 is the sum of a[i]·b[i] in float64 over 16 lanes.
func product64(a, b []float32) float64 {
	var sum [lanes]float64
	for i, v := range a {
		sum[i%lanes] += float64(v) * float64(b[i]) // the product is exact, so fusing it changes nothing
	}
	return foldSum64(&sum)
}
