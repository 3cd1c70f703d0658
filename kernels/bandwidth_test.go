package kernels

import (
	"fmt"
	"testing"
)

// What is read cannot be seen; that it is done without a fault, on a slice that
// ends with its page's memory, can.
func TestRead(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			chosen := Chosen()
			defer mustUse(chosen)
			mustUse(name)
			for _, n := range []int{0, readBlock, 5 * readBlock, readChunk + readBlock} {
				Read(make([]float32, n))
			}
			defer func() {
				if recover() == nil {
					t.Error("a broken block is read")
				}
			}()
			Read(make([]float32, readBlock+1))
		})
	}
}

func TestMultiplyAddsCountsEveryWorker(t *testing.T) {
	var counts [4]float64
	for workers := range counts {
		withWorkers(workers+1, func() { counts[workers] = MultiplyAdds(3) })
	}
	for i, n := range counts {
		if n <= 0 || n != counts[0]*float64(i+1) {
			t.Errorf("%v operations with %d workers, %v with one", n, i+1, counts[0])
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, bytes := range []int{512 << 10, 256 << 20} {
		x := make([]float32, bytes/4)
		for i := range x {
			x[i] = 1
		}
		b.Run(fmt.Sprintf("%dKiB", bytes>>10), func(b *testing.B) {
			b.SetBytes(int64(bytes))
			withWorkers(1, func() {
				for b.Loop() {
					Read(x)
				}
			})
		})
	}
}
