//go:build !unix

package hub

import (
	"context"
	"sync"
)

var guard sync.Mutex

// lock keeps goroutines apart; on this system one process at a time may
// download into a cache.
func lock(ctx context.Context, _ string) (unlock func(), err error) {
	guard.Lock()
	if err := ctx.Err(); err != nil {
		guard.Unlock()
		return nil, err
	}
	return guard.Unlock, nil
}
