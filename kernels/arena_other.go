//go:build !linux

package kernels

// wantHugePages does nothing: this system cannot be asked.
func wantHugePages([]float32) {}
