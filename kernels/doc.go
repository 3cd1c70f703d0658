// Package kernels holds the loops over numbers: matrix products, norms,
// attention, activations and the optimiser, all in float32 and row-major.
//
// Every kernel exists several times: in pure Go, which is the definition, and
// in assembly for AVX-512, AVX2 and NEON, which package gen writes. All of
// them return the same bits, for any number of workers and on every
// processor:
//
//   - a product's element is one chain of fused multiply-adds in the order of
//     the summed index, whichever tile it is computed in;
//   - a sum over a row runs in 16 lanes that are folded in a fixed order;
//   - exponentials and logarithms are the package's own polynomials;
//   - work is split over outputs, never over a sum.
//
// Kernels may be called by several goroutines at once. They panic when
// lengths do not fit, which is a mistake in the program and not in its input.
package kernels

//go:generate go run ./gen
