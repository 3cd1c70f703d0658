package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a listing; the largest repositories have some 100,000 files.
const (
	maxListing = 64 << 20 // bytes
	maxFiles   = 200_000
	maxPath    = 1024 // bytes
)

// A Snapshot is a repository at one commit.
type Snapshot struct {
	Repo     Repo
	Revision string   // that was asked for
	Commit   string   // that it stands for, 40 hex digits
	Files    []string // slash paths, in order; offline only those in the cache
	Dir      string   // folder of the cache that holds the files that were fetched
}

// Snapshot resolves a revision to a commit and lists its files. Offline, both
// come from the cache.
func (c *Client) Snapshot(ctx context.Context, repo Repo, revision string) (*Snapshot, error) {
	if err := checkRevision(revision); err != nil {
		return nil, err
	}
	if c.settings.Offline {
		return c.cached(repo, revision)
	}
	var s *Snapshot
	err := c.persist(ctx, func() (progress bool, err error) {
		s, err = c.list(ctx, repo, revision)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return s, c.remember(s)
}

// listing is the hub's answer about a revision.
type listing struct {
	SHA      string `json:"sha"`
	Siblings []struct {
		Name string `json:"rfilename"`
	} `json:"siblings"`
}

// list asks the hub once.
func (c *Client) list(ctx context.Context, repo Repo, revision string) (*Snapshot, error) {
	subject := fmt.Sprintf("%s@%s", repo, revision)
	address := fmt.Sprintf("%s/api/%s/%s/revision/%s", c.settings.Endpoint, repo.Kind, repo.Name, url.PathEscape(revision))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: the endpoint %s gives no address", subject, c.settings.Endpoint)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unanswered(ctx, subject, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, c.refusal(subject, repo, answer)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxListing+1))
	if err != nil {
		return nil, c.unanswered(ctx, subject, err)
	}
	var l listing
	if len(text) > maxListing || json.Unmarshal(text, &l) != nil {
		return nil, fmt.Errorf("%s: %s does not answer as a hub does (%d bytes that are no list of files): check HF_ENDPOINT, or log in to the network",
			subject, c.settings.Endpoint, len(text))
	}
	return c.snapshotOf(repo, revision, l)
}

// snapshotOf checks a listing.
func (c *Client) snapshotOf(repo Repo, revision string, l listing) (*Snapshot, error) {
	s := &Snapshot{Repo: repo, Revision: revision, Commit: l.SHA}
	if !commitName.MatchString(l.SHA) {
		return nil, fmt.Errorf("%s@%s: %s names no commit of 40 hex digits: is HF_ENDPOINT a hub?", repo, revision, c.settings.Endpoint)
	}
	if commitName.MatchString(revision) && revision != l.SHA {
		return nil, fmt.Errorf("%s: asked for commit %s, the hub answers with %s", repo, revision, l.SHA)
	}
	if len(l.Siblings) > maxFiles {
		return nil, fmt.Errorf("%s: %d files; at most %d are read", repo, len(l.Siblings), maxFiles)
	}
	for _, f := range l.Siblings {
		if err := checkPath(f.Name); err != nil {
			return nil, fmt.Errorf("%s: %w", repo, err)
		}
		s.Files = append(s.Files, f.Name)
	}
	slices.Sort(s.Files)
	s.Files = slices.Compact(s.Files)
	s.Dir = c.snapshotDir(repo, s.Commit)
	return s, nil
}

// checkPath refuses names of files that are no plain path below a folder, on
// any system.
func checkPath(name string) error {
	odd := func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`\:*?"<>|`, r) }
	if len(name) > maxPath || !fs.ValidPath(name) || name == "." || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, odd) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("refusing the file name %.80q: it is no plain path below the repository", name)
	}
	return nil
}

// repoDir is the folder of the cache that belongs to repo.
func (c *Client) repoDir(repo Repo) string {
	return filepath.Join(c.settings.Cache, string(repo.Kind)+"--"+strings.ReplaceAll(repo.Name, "/", "--"))
}

func (c *Client) snapshotDir(repo Repo, commit string) string {
	return filepath.Join(c.repoDir(repo), "snapshots", commit)
}

// cached finds a snapshot in the cache.
func (c *Client) cached(repo Repo, revision string) (*Snapshot, error) {
	commit := revision
	if !commitName.MatchString(revision) {
		text, err := os.ReadFile(filepath.Join(c.repoDir(repo), "refs", filepath.FromSlash(revision)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s@%s: %w", repo, revision, err)
		}
		commit = strings.TrimSpace(string(text))
	}
	s := &Snapshot{Repo: repo, Revision: revision, Commit: commit, Dir: c.snapshotDir(repo, commit)}
	var err error
	if commitName.MatchString(commit) {
		s.Files, err = filesBelow(s.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s@%s: %w", repo, revision, err)
	}
	if len(s.Files) == 0 {
		return nil, fmt.Errorf("%s@%s is not in the cache %s: fetch it once without --offline and HF_HUB_OFFLINE", repo, revision, c.settings.Cache)
	}
	return s, nil
}

// filesBelow lists the files below dir as slash paths in order. Links count
// where they lead to a file.
func filesBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}
