package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
)

// A Sum is what a list of files says of one of them, so that a later reader can
// tell whether it is as it was written.
type Sum struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hexadecimal
}

// Hash returns the SHA-256 of data in hexadecimal.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// A DamagedError says that a file which was whole is not what it was.
type DamagedError struct{ File, Reason string }

// Damaged returns the error that file is damaged, for a reason that reads
// "it has 3 bytes, not 4".
func Damaged(file, reason string) error { return &DamagedError{File: file, Reason: reason} }

// Error names the file and what is wrong with it.
func (e *DamagedError) Error() string { return e.File + " is damaged: " + e.Reason }
