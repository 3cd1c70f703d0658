package corpus

import "math/bits"

// permute returns where a permutation of the numbers below n takes i. The
// permutation is one of many, picked by seed and epoch, and none is stored: a
// Feistel network permutes the numbers of 2h bits, of which there are at most
// 4 n, and is applied until the result is below n (Black and Rogaway 2002).
func permute(i, n, seed, epoch uint64) uint64 {
	half := max(1, (bits.Len64(n-1)+1)/2)
	mask := uint64(1)<<half - 1
	key := mix(mix(seed) ^ epoch)
	for {
		left, right := i>>half, i&mask
		for round := range uint64(6) {
			left, right = right, left^mix(key+round<<32+right)&mask
		}
		if i = left<<half | right; i < n {
			return i
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele et al. 2014) after one step.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
