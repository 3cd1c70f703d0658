package hub

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Attempts at one request, and the pauses between them: the first of about a
// second, each twice the one before.
const (
	maxAttempts  = 5
	firstPause   = time.Second
	longestPause = 30 * time.Second
	// longestWait is the most that a server's Retry-After is obeyed; who asks for
	// more gets no further attempt, since nobody would know why it hangs.
	longestWait = 2 * time.Minute
)

// persist calls attempt until it succeeds, fails for good or has failed
// maxAttempts times in a row. An attempt that made progress starts the count
// anew, at most maxAttempts² times in all.
func (c *Client) persist(ctx context.Context, attempt func() (progress bool, err error)) error {
	failures := 0
	for range maxAttempts * maxAttempts {
		progress, err := attempt()
		var refused *ServerError
		if err == nil || !errors.As(err, &refused) || !refused.temporary || refused.after > longestWait {
			return err
		}
		if progress {
			failures = 0
		}
		if failures++; failures >= maxAttempts {
			return err
		}
		if err := c.wait(ctx, max(c.pause(failures), refused.after)); err != nil {
			return err
		}
	}
	return errors.New("the connection broke too often; run the command again to go on where it stopped")
}

// pause is how long to wait after so many failures in a row: between half and
// all of a length that doubles, so that many clients do not come back at once.
func (c *Client) pause(failures int) time.Duration {
	length := min(firstPause<<(failures-1), longestPause)
	return length/2 + time.Duration(c.jitter()*float64(length/2))
}

// retryAfter reads a server's wish in seconds or as a date; 0 if there is none.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func random() float64 { return rand.Float64() }
