package hub

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// enough is how many new bytes make an attempt count as progress.
const enough = 1 << 20

// download brings the content of r to the path blob. Until it is whole and
// verified it is in blob.incomplete, where a later call goes on. The caller
// holds the lock of blob.
func (c *Client) download(ctx context.Context, r *remote, blob string) error {
	p, err := c.openPart(r, blob+".incomplete")
	if err != nil {
		return err
	}
	defer p.close()
	if err := c.roomFor(r, filepath.Dir(blob), r.size-p.done); err != nil {
		return err
	}
	wrong := 0 // times that all bytes came and were others
	err = c.persist(ctx, func() (progress bool, err error) {
		before := p.done
		if p.done < r.size {
			err = c.transfer(ctx, r, p)
		}
		if err == nil && !r.sum.matches(p.sum) {
			wrong++
			err = c.mismatch(r, p, wrong)
		}
		return p.done-before >= enough, err
	})
	if err != nil {
		return err
	}
	return p.commit(blob)
}

// mismatch drops content that is not what the hub promised. It is asked for
// once more, since a part of it may have been of an earlier, broken attempt.
func (c *Client) mismatch(r *remote, p *part, times int) error {
	if err := p.restart(); err != nil {
		return err
	}
	if times > 1 {
		p.drop()
		return fmt.Errorf("%s: the content does not have the checksum %s that the hub promises; nothing was kept: does a proxy or a mirror change files?", r.subject(), r.sum.hex)
	}
	return c.broken(r.subject(), "the content does not have the checksum %s that the hub promises", r.sum.hex)
}

// roomFor refuses a download that the disk cannot hold.
func (c *Client) roomFor(r *remote, folder string, need int64) error {
	if c.FreeDisk == nil {
		return nil
	}
	free, err := c.FreeDisk(folder)
	if err != nil || int64(free) >= need {
		return nil // what is not known is found out by writing
	}
	return &DiskFull{File: r.subject(), Need: need, Free: int64(free), Folder: c.settings.Cache}
}

// DiskFull says that a file was not begun because it does not fit.
type DiskFull struct {
	File       string
	Need, Free int64 // bytes
	Folder     string
}

// Error names the sizes and what to do.
func (e *DiskFull) Error() string {
	return fmt.Sprintf("%s needs %d bytes more, and the disk of %s has %d; free some, or set HF_HUB_CACHE to another disk", e.File, e.Need, e.Folder, e.Free)
}

// Unwrap makes it an error of a full disk.
func (e *DiskFull) Unwrap() error { return syscall.ENOSPC }

// A part is the beginning of a file, on disk, with its running checksum.
type part struct {
	remote *remote
	path   string
	file   *os.File // nil when closed
	sum    hash.Hash
	done   int64 // bytes, all of them in sum
}

// openPart goes on with what an earlier attempt left.
func (c *Client) openPart(r *remote, path string) (*part, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, cacheError(err)
	}
	p := &part{remote: r, path: path, file: f, sum: r.sum.start()}
	if p.done, err = io.Copy(p.sum, io.LimitReader(f, r.size+1)); err != nil {
		p.close()
		return nil, cacheError(err)
	}
	if p.done > r.size {
		err = p.restart()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// restart forgets all content.
func (p *part) restart() error {
	p.sum, p.done = p.remote.sum.start(), 0
	_, err := p.file.Seek(0, io.SeekStart)
	return cacheError(errors.Join(err, p.file.Truncate(0)))
}

// Write appends to the part. If the disk refuses, nothing is left of it.
func (p *part) Write(data []byte) (int, error) {
	n, err := p.file.Write(data)
	if err != nil {
		p.drop()
		return n, &writeError{cacheError(err)}
	}
	p.sum.Write(data)
	p.done += int64(n)
	return n, nil
}

// A writeError is a failure of the disk, as against one of the connection.
type writeError struct{ error }

// Unwrap returns the cause.
func (e *writeError) Unwrap() error { return e.error }

// commit makes the part durable and gives it its name.
func (p *part) commit(blob string) error {
	err := p.file.Sync()
	if err = errors.Join(err, p.close()); err == nil {
		err = os.Rename(p.path, blob)
	}
	if err != nil {
		p.drop()
		return cacheError(err)
	}
	return nil
}

func (p *part) drop() {
	p.close()
	os.Remove(p.path)
}

func (p *part) close() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}

// transfer makes one attempt at what is missing of r.
func (c *Client) transfer(ctx context.Context, r *remote, p *part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := c.request(ctx, http.MethodGet, r)
	if err != nil {
		return err
	}
	if p.done > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.done))
		if r.quoted != "" {
			request.Header.Set("If-Range", r.quoted)
		}
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return c.unanswered(ctx, r.subject(), err)
	}
	defer answer.Body.Close()
	if err := c.align(r, p, answer); err != nil {
		return err
	}
	return c.receive(ctx, cancel, r, p, answer.Body)
}

// align makes the part end where the answer's body begins.
func (c *Client) align(r *remote, p *part, answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusOK: // all of it, whatever was asked
		if err := p.restart(); err != nil {
			return err
		}
		if n := answer.ContentLength; n >= 0 && n != r.size {
			return c.strange(r, answer, fmt.Sprintf("%d bytes are offered for a file of %d", n, r.size))
		}
		return nil
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/%d", p.done, r.size-1, r.size)
		if got := answer.Header.Get("Content-Range"); p.done == 0 || got != want {
			if err := p.restart(); err != nil {
				return err
			}
			return c.broken(r.subject(), "asked for %s, the server answers with %.60q", want, got)
		}
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		if err := p.restart(); err != nil {
			return err
		}
		return c.broken(r.subject(), "the server does not have as many bytes as the hub says (416)")
	}
	return c.refusal(r.subject(), r.snapshot.Repo, answer)
}

// strange is an answer that is not the file.
func (c *Client) strange(r *remote, answer *http.Response, what string) error {
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		what += ", and they are a web page: does the network want a log-in?"
	}
	return c.broken(r.subject(), "%s", what)
}

// receive appends the body to the part: as many bytes as are missing, no more
// and no fewer. A connection that is silent for long is given up.
func (c *Client) receive(ctx context.Context, cancel context.CancelCauseFunc, r *remote, p *part, body io.Reader) error {
	watchdog := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer watchdog.Stop()
	buffer := make([]byte, 1<<16)
	for {
		n, err := body.Read(buffer)
		watchdog.Reset(c.stall)
		if int64(n) > r.size-p.done {
			p.restart()
			return c.broken(r.subject(), "more bytes come than the %d that the file has", r.size)
		}
		if n > 0 {
			if _, err := p.Write(buffer[:n]); err != nil {
				return err
			}
			c.report(r, p.done)
		}
		switch {
		case err == io.EOF && p.done == r.size:
			return nil
		case err == io.EOF:
			return c.broken(r.subject(), "the connection ended after %d of %d bytes", p.done, r.size)
		case errors.Is(context.Cause(ctx), errStalled):
			return c.broken(r.subject(), "no byte came for %v, after %d of %d", c.stall, p.done, r.size)
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return c.broken(r.subject(), "the connection broke after %d of %d bytes (%v); the next run goes on there", p.done, r.size, err)
		}
	}
}

var errStalled = errors.New("no byte came for too long")

func (c *Client) report(r *remote, done int64) {
	if c.Progress != nil {
		c.Progress(Progress{r.snapshot.Repo, r.name, done, r.size})
	}
}
