package world

import "math/bits"

// A source draws numbers by splitmix64 (Steele, Lea and Flood 2014). It is
// written out here so that no release of the standard library can change the
// bytes of the text; its period is 2⁶⁴.
type source struct{ state uint64 }

// newSource returns the source that seed, label and parts name.
func newSource(seed uint64, label string, parts ...uint64) *source {
	return &source{state: hash(seed, label, parts...)}
}

// hash mixes its arguments into 64 bits.
func hash(seed uint64, label string, parts ...uint64) uint64 {
	h := mix(seed + 0x9e3779b97f4a7c15)
	for _, c := range []byte(label) {
		h = mix(h ^ uint64(c))
	}
	for _, part := range parts {
		h = mix(h + 0x9e3779b97f4a7c15 ^ mix(part+1))
	}
	return h
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *source) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// below returns a number in [0, n). Its bias is below n/2⁶⁴.
func (r *source) below(n int) int {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int(high)
}

// two returns two different numbers in [0, n).
func (r *source) two(n int) (int, int) {
	a, b := r.below(n), r.below(n-1)
	if b >= a {
		b++
	}
	return a, b
}

// permutation returns 0 .. n-1 in a random order.
func (r *source) permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	shuffle(r, p)
	return p
}

// derangement returns a permutation that moves every number.
func (r *source) derangement(n int) []int {
	for {
		p := r.permutation(n)
		if !hasFixedPoint(p) {
			return p
		}
	}
}

func hasFixedPoint(p []int) bool {
	for i, v := range p {
		if i == v {
			return true
		}
	}
	return false
}

func shuffle[T any](r *source, s []T) {
	for i := len(s) - 1; i > 0; i-- {
		j := r.below(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}
