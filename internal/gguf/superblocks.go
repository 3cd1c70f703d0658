package gguf

// Super-blocks of 256 numbers. Q4_K and Q5_K have 8 groups of 32 with a scale
// and a minimum of 6 bits each, in units of the float16s d and dmin:
//
//	w = d·scale·q − dmin·minimum
//
// Q6_K has 16 groups of 16 with a scale of 8 bits: w = d·scale·(q − 32).
const (
	super  = 256
	group  = 32 // of Q4_K and Q5_K
	groups = super / group
	packed = 12 // bytes of 8 scales and 8 minima
	group6 = 16 // of Q6_K
)

// scaleAndMin unpacks group i. The first four groups have their 6 bits in the
// low ends of bytes 0 to 7; the others have 4 bits in bytes 8 to 11 and the
// upper 2 in the high ends of the first 8.
func scaleAndMin(p []byte, i int) (scale, least byte) {
	if i < 4 {
		return p[i] & 63, p[i+4] & 63
	}
	return p[i+4]&15 | p[i-4]>>6<<4, p[i+4]>>4 | p[i]>>6<<4
}

// putScaleAndMin packs group i into p, whose bits must be zero there.
func putScaleAndMin(p []byte, i int, scale, least byte) {
	if i < 4 {
		p[i] |= scale
		p[i+4] |= least
		return
	}
	p[i+4] |= scale&15 | least<<4
	p[i-4] |= scale >> 4 << 6
	p[i] |= least >> 4 << 6
}

func decodeQ4_K(dst []float32, src []byte) {
	low := src[4+packed:]
	decodeGroups(dst, src, func(i, pair, shift int) int { return int(low[pair*group+i] >> shift & 15) })
}

func decodeQ5_K(dst []float32, src []byte) {
	fifth, low := src[4+packed:], src[4+packed+group:]
	decodeGroups(dst, src, func(i, pair, shift int) int {
		bit := 2*pair + shift/4
		return int(low[pair*group+i]>>shift&15) | int(fifth[i]>>bit&1)<<4
	})
}

// decodeGroups expands groups whose numbers come by twos: the low halves of 32
// bytes are one group, the high halves the next.
func decodeGroups(dst []float32, src []byte, number func(i, pair, shift int) int) {
	d, dmin, scales := half(src), half(src[2:]), src[4:4+packed]
	for g := range groups {
		scale, least := scaleAndMin(scales, g)
		step, offset := d*float32(scale), dmin*float32(least)
		for i := range group {
			dst[g*group+i] = float32(step*float32(number(i, g/2, g%2*4))) - offset
		}
	}
}

func decodeQ6_K(dst []float32, src []byte) {
	d := half(src[super/2+super/4+super/group6:])
	scales := src[super/2+super/4:]
	for i := range super {
		low, high := sixBits(i)
		q := src[low.at]>>low.shift&15 | src[super/2+high.at]>>high.shift&3<<4
		step := d * float32(int8(scales[i/group6]))
		dst[i] = step * float32(int(q)-32)
	}
}

// A place is where bits of a number stand: a byte and how far they are shifted in it.
type place struct{ at, shift int }

// sixBits returns where number i of a Q6_K block has its low 4 and its high 2
// bits. Each half of 128 numbers is four columns of 32: columns 0 and 2 share
// 32 bytes of low bits, 1 and 3 the next 32, and all four share 32 bytes of high bits.
func sixBits(i int) (low, high place) {
	part, column, row := i/128, i%128/32, i%32
	return place{part*64 + column%2*32 + row, column / 2 * 4}, place{part*32 + row, column * 2}
}

func encodeQ4_K(dst []byte, src []float32) {
	numbers := encodeGroups(dst, src, 15, -1, 20)
	putLowBits(dst[4+packed:], numbers)
}

func encodeQ5_K(dst []byte, src []float32) {
	numbers := encodeGroups(dst, src, 31, -0.5, 15)
	fifth := dst[4+packed:][:group]
	clear(fifth)
	for i, q := range numbers {
		fifth[i%group] |= q >> 4 << (i / group)
	}
	putLowBits(dst[4+packed+group:], numbers)
}

// putLowBits writes the low 4 bits of every number, two groups to 32 bytes.
func putLowBits(dst []byte, numbers *[super]byte) {
	for i := range super / 2 {
		at := i/group*2*group + i%group
		dst[i] = numbers[at]&15 | numbers[at+group]<<4
	}
}

// encodeGroups writes d, dmin and the packed scales of groups with numbers from
// 0 to top, and returns the numbers. start and steps are those of fitScaleAndMin.
func encodeGroups(dst []byte, src []float32, top int, start float32, steps int) *[super]byte {
	numbers := new([super]byte)
	var scales, minima [groups]float32
	for g := range groups {
		scales[g], minima[g] = fitScaleAndMin(numbers[g*group:][:group], src[g*group:][:group], top, start, steps)
	}
	scale, least := quantiseUnits(dst, scales[:]), quantiseUnits(dst[2:], minima[:])
	clear(dst[4 : 4+packed])
	d, dmin := half(dst), half(dst[2:])
	for g := range groups {
		putScaleAndMin(dst[4:4+packed], g, scale[g], least[g])
		step, offset := d*float32(scale[g]), dmin*float32(least[g])
		if step == 0 {
			continue
		}
		for i := g * group; i < (g+1)*group; i++ {
			numbers[i] = byte(nearest((src[i]+offset)/step, 0, top))
		}
	}
	return numbers
}

// quantiseUnits writes the float16 unit in which the largest of values is 63,
// and returns all of them in it.
func quantiseUnits(dst []byte, values []float32) (units [groups]byte) {
	var most float32
	for _, v := range values {
		most = max(most, v)
	}
	putHalf(dst, most/63)
	if most == 0 {
		return units
	}
	inverse := 63 / most
	for i, v := range values {
		units[i] = byte(nearest(inverse*v, 0, 63))
	}
	return units
}

func encodeQ6_K(dst []byte, src []float32) {
	var numbers [super]byte
	var scales [super / group6]float32
	var largest float32
	for g := range scales {
		scales[g] = fitScale(numbers[g*group6:][:group6], src[g*group6:][:group6], 32)
		if abs(scales[g]) > abs(largest) {
			largest = scales[g]
		}
	}
	clear(dst)
	if abs(largest) < negligible {
		return
	}
	inverse := -128 / largest
	unit := dst[super/2+super/4+super/group6:]
	putHalf(unit, 1/inverse)
	for g, s := range scales {
		scale := int8(nearest(inverse*s, -128, 127))
		dst[super/2+super/4+g] = byte(scale)
		step := half(unit) * float32(scale)
		if step == 0 {
			continue
		}
		for i := g * group6; i < (g+1)*group6; i++ {
			numbers[i] = byte(nearest(src[i]/step, -32, 31) + 32)
		}
	}
	for i, q := range numbers {
		low, high := sixBits(i)
		dst[low.at] |= q & 15 << low.shift
		dst[super/2+high.at] |= q >> 4 << high.shift
	}
}
