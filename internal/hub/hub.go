// Package hub downloads files of models and data sets by the Hugging Face hub's
// protocol, into the cache that the Python tools use too. What a server says is
// not believed: every file is checked against the size and the checksum that
// its commit has, names cannot leave the cache, and a file has its name only
// when it is whole.
package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// A Kind is what a repository holds. Its value begins the name of the
// repository's folder in the cache.
type Kind string

// The kinds of repositories that are read.
const (
	Model   Kind = "models"
	Dataset Kind = "datasets"
)

// A Repo is a repository of the hub.
type Repo struct {
	Kind Kind
	Name string // "owner/name", or "name" for the few that have no owner
}

// String returns the name of the repository.
func (r Repo) String() string { return r.Name }

// DefaultRevision is read where none is named.
const DefaultRevision = "main"

var (
	repoName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?$`)
	revisionName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+/-]{0,199}$`)
	commitName   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ParseRepo reads NAME or NAME@REVISION. A revision is a branch, a tag or a
// commit; DefaultRevision if there is none.
func ParseRepo(kind Kind, text string) (Repo, string, error) {
	name, revision, pinned := strings.Cut(text, "@")
	if !pinned {
		revision = DefaultRevision
	}
	if !repoName.MatchString(name) || strings.Contains(name, "..") || strings.Contains(name, "--") {
		return Repo{}, "", fmt.Errorf("%q is no name of a repository; write OWNER/NAME or OWNER/NAME@REVISION", text)
	}
	return Repo{kind, name}, revision, checkRevision(revision)
}

// checkRevision refuses what cannot be a branch, a tag or a commit: it becomes
// the name of a file.
func checkRevision(revision string) error {
	if !revisionName.MatchString(revision) || strings.Contains(revision, "..") ||
		strings.Contains(revision, "//") || strings.Contains(revision, "/.") || strings.HasSuffix(revision, "/") {
		return fmt.Errorf("%q is no revision; give a branch, a tag or a commit", revision)
	}
	return nil
}

// A Client reads repositories. It may be used by several goroutines. Make one
// with New.
type Client struct {
	// Progress, where it is set, is told now and then how far a file is.
	Progress func(Progress)
	// FreeDisk, where it is set, returns how many bytes can be written below a
	// folder that exists; a file that does not fit is then not begun.
	FreeDisk func(folder string) (int, error)

	settings Settings
	http     *http.Client
	wait     func(ctx context.Context, d time.Duration) error
	jitter   func() float64 // from 0 to 1
	stall    time.Duration  // without a byte, after which a connection is given up
}

// Progress is how far the download of one file is.
type Progress struct {
	Repo  Repo
	File  string
	Done  int64 // bytes in the cache, those of earlier attempts included
	Total int64 // bytes of the file
}

// New returns a client with the given settings.
func New(s Settings) (*Client, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    30 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 1 << 18,
		DisableCompression:     true, // lengths and checksums are those of the file
		ForceAttemptHTTP2:      true,
	}
	c := &Client{settings: s, wait: sleep, jitter: random, stall: time.Minute}
	c.http = &http.Client{
		Transport:     &authorizer{settings: s, base: transport},
		CheckRedirect: checkRedirect,
	}
	return c, nil
}

// An authorizer adds the token to requests to the endpoint itself and to no
// other: the requests that the rest of the program sees do not hold it.
type authorizer struct {
	settings Settings
	base     http.RoundTripper
}

// RoundTrip sends one request.
func (a *authorizer) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.settings.trusts(r.URL) && a.settings.token.reveal() != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+a.settings.token.reveal())
	}
	return a.base.RoundTrip(r)
}

// maxRedirects is how often one request may be sent on.
const maxRedirects = 10

func checkRedirect(r *http.Request, before []*http.Request) error {
	first := before[0]
	switch {
	case len(before) >= maxRedirects:
		return fmt.Errorf("sent on more than %d times", maxRedirects)
	case first.URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("sent on from https to an address without encryption")
	case r.URL.Scheme != "https" && r.URL.Scheme != "http":
		return errors.New("sent on to an address that is not http")
	case r.URL.Host != first.URL.Host:
		r.Header.Del("If-Range") // another host has other names for the same content
	}
	r.Header.Del("Referer")
	return nil
}
