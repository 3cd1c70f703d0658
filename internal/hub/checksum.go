package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// A checksum is what content is verified against: the SHA-256 of a large file
// (64 hex digits), or the name that git gives a small one (40), which is the
// SHA-1 of its size and content.
type checksum struct {
	hex  string
	size int64 // bytes of the content
}

// start returns a hash that has read what stands before the content.
func (s checksum) start() hash.Hash {
	if len(s.hex) == hex.EncodedLen(sha256.Size) {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", s.size)
	return h
}

// matches says whether h, made by start, has read the content.
func (s checksum) matches(h hash.Hash) bool { return hex.EncodeToString(h.Sum(nil)) == s.hex }
