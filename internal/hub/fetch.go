package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxFile is the most bytes that one file may have: no published file comes near.
const maxFile = 1 << 40

// Fetch brings the named files of s into the cache, one after the other, where
// they are not there already. Offline it only says which are missing. The files
// are below s.Dir afterwards.
func (c *Client) Fetch(ctx context.Context, s *Snapshot, names []string) error {
	for _, name := range names {
		if err := checkPath(name); err != nil {
			return fmt.Errorf("%s: %w", s.Repo, err)
		}
		if !slices.Contains(s.Files, name) {
			return fmt.Errorf("%s@%s has no file %s", s.Repo, s.Revision, name)
		}
	}
	if c.settings.Offline {
		return nil // what is listed offline is in the cache
	}
	for _, name := range names {
		if err := c.fetch(ctx, s, name); err != nil {
			return err
		}
	}
	return nil
}

// A remote is what the hub promises of a file at a commit.
type remote struct {
	snapshot *Snapshot
	name     string // slash path
	size     int64
	sum      checksum
	quoted   string // the ETag as a header has it, "" for a weak one
	redirect bool   // the content is on another server
}

// subject names the file in messages.
func (r *remote) subject() string { return r.snapshot.Repo.Name + "/" + r.name }

// fetch brings one file into the cache. Whoever fetches the same content at the
// same time waits for it.
func (c *Client) fetch(ctx context.Context, s *Snapshot, name string) error {
	var r *remote
	err := c.persist(ctx, func() (progress bool, err error) {
		r, err = c.describe(ctx, s, name)
		return false, err
	})
	if err != nil {
		return err
	}
	if held(s, name, r.size) {
		return nil
	}
	blob := filepath.Join(c.repoDir(s.Repo), "blobs", r.sum.hex)
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return cacheError(err)
	}
	locks := filepath.Join(c.settings.Cache, ".locks", filepath.Base(c.repoDir(s.Repo)))
	unlock, err := lock(ctx, filepath.Join(locks, r.sum.hex+".lock"))
	if err != nil {
		return fmt.Errorf("%s: %w", r.subject(), err)
	}
	defer unlock()
	if info, err := os.Stat(blob); err != nil || info.Size() != r.size {
		if err := c.download(ctx, r, blob); err != nil {
			return err
		}
	}
	return c.publish(s, name, blob)
}

// describe asks for a file's size and checksum. They are in the headers of the
// hub's own answer, before it sends on to the server that has the content.
func (c *Client) describe(ctx context.Context, s *Snapshot, name string) (*remote, error) {
	r := &remote{snapshot: s, name: name}
	request, err := c.request(ctx, http.MethodHead, r)
	if err != nil {
		return nil, err
	}
	answer, err := c.first().Do(request)
	if err != nil {
		return nil, c.unanswered(ctx, r.subject(), err)
	}
	answer.Body.Close()
	if answer.StatusCode >= 400 || answer.StatusCode < 200 {
		return nil, c.refusal(r.subject(), s.Repo, answer)
	}
	if commit := answer.Header.Get("X-Repo-Commit"); commit != "" && commit != s.Commit {
		return nil, fmt.Errorf("%s: asked for commit %s, the hub answers with %.40q", r.subject(), s.Commit, commit)
	}
	return r, r.read(answer)
}

// first is a client that stops at the first answer that describes the file, or
// that leaves the endpoint.
func (c *Client) first() *http.Client {
	follow := c.http.CheckRedirect
	return &http.Client{Transport: c.http.Transport, CheckRedirect: func(r *http.Request, before []*http.Request) error {
		if r.Response.Header.Get("X-Linked-Etag") != "" || r.URL.Host != before[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return follow(r, before)
	}}
}

var plainSum = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// read takes size and checksum from the headers of an answer.
func (r *remote) read(answer *http.Response) error {
	tag, size := answer.Header.Get("X-Linked-Etag"), answer.Header.Get("X-Linked-Size")
	r.redirect = tag != "" || answer.StatusCode >= 300
	if tag == "" {
		tag = answer.Header.Get("ETag")
	}
	if size == "" {
		size = answer.Header.Get("Content-Length")
	}
	sum := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	if !plainSum.MatchString(sum) {
		return fmt.Errorf("%s: the server gives no checksum (ETag %.80q), so that the file could not be verified: is HF_ENDPOINT a hub, or does a proxy stand between?", r.subject(), tag)
	}
	if !strings.HasPrefix(tag, "W/") && !r.redirect {
		r.quoted = `"` + sum + `"`
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 || n > maxFile {
		return fmt.Errorf("%s: the server gives the size %.40q, which no file has", r.subject(), size)
	}
	r.size, r.sum = n, checksum{hex: sum, size: n}
	return nil
}

// request makes a request for the content of r.
func (c *Client) request(ctx context.Context, method string, r *remote) (*http.Request, error) {
	var path []string
	for part := range strings.SplitSeq(r.name, "/") {
		path = append(path, url.PathEscape(part))
	}
	address := fmt.Sprintf("%s/resolve/%s/%s", c.pageURL(r.snapshot.Repo), r.snapshot.Commit, strings.Join(path, "/"))
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, errors.New(r.subject() + ": the endpoint " + c.settings.Endpoint + " gives no address")
	}
	request.Header.Set("Accept-Encoding", "identity")
	return request, nil
}
