//go:build !linux && !darwin

package machine

import (
	"errors"
	"os"
)

// FreeDisk reports that free disk is not known here.
func FreeDisk(path string) (int, error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	return 0, errors.ErrUnsupported
}
