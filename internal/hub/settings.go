package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// DefaultEndpoint is the hub that is asked where nothing else is set.
const DefaultEndpoint = "https://huggingface.co"

// Settings say which hub is asked, as whom, and where files go.
type Settings struct {
	Endpoint string // scheme, host and, for some mirrors, a path; no slash at the end
	Cache    string // folder of the cache, in the layout of the Python tools
	Offline  bool   // only what is in the cache

	token secret
}

// A secret keeps a text where no printing finds it. Nil is none.
type secret func() string

func newSecret(text string) secret { return func() string { return text } }

// reveal returns the text, "" for none.
func (s secret) reveal() string {
	if s == nil {
		return ""
	}
	return s()
}

// FromEnvironment reads the variables that the Python tools read, by getenv:
// HF_ENDPOINT; HF_TOKEN, or the file HF_TOKEN_PATH, or the file token in
// HF_HOME; HF_HUB_CACHE, or the folder hub in HF_HOME, or huggingface/hub in
// XDG_CACHE_HOME or ~/.cache; HF_HUB_OFFLINE. Errors never hold the token.
func FromEnvironment(getenv func(string) string) (Settings, error) {
	home, err := homeFolder(getenv)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{
		Endpoint: firstSet(getenv("HF_ENDPOINT"), DefaultEndpoint),
		Cache:    firstSet(getenv("HF_HUB_CACHE"), getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub")),
		Offline:  isTrue(getenv("HF_HUB_OFFLINE")),
	}
	s.Endpoint = strings.TrimRight(s.Endpoint, "/")
	s.token, err = readToken(getenv, home)
	return s, err
}

// homeFolder is where the Python tools keep their cache and the token.
func homeFolder(getenv func(string) string) (string, error) {
	if home := getenv("HF_HOME"); home != "" {
		return home, nil
	}
	if cache := getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "huggingface"), nil
	}
	user := firstSet(getenv("HOME"), getenv("USERPROFILE"))
	if user == "" {
		return "", errors.New("no home folder for the hub's cache; set HF_HOME")
	}
	return filepath.Join(user, ".cache", "huggingface"), nil
}

// maxToken is the most bytes that a token may have.
const maxToken = 4096

// readToken returns the empty secret where there is no token.
func readToken(getenv func(string) string, home string) (secret, error) {
	if token := strings.TrimSpace(getenv("HF_TOKEN")); token != "" {
		return checkToken(token, "HF_TOKEN")
	}
	path := firstSet(getenv("HF_TOKEN_PATH"), filepath.Join(home, "token"))
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the hub's token cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return nil, fmt.Errorf("the hub's token cannot be read: %w", err)
	}
	return checkToken(strings.TrimSpace(string(text)), path)
}

// checkToken refuses what cannot stand in a header, without showing it.
func checkToken(token, where string) (secret, error) {
	notToken := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(token) > maxToken || strings.ContainsFunc(token, notToken) {
		return nil, fmt.Errorf("%s does not hold a token: it is one word of letters, digits and signs", where)
	}
	return newSecret(token), nil
}

// check refuses an endpoint that cannot be asked.
func (s Settings) check() error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the hub's endpoint (HF_ENDPOINT or --endpoint) is no address such as " + DefaultEndpoint)
	case u.User != nil:
		return errors.New("the hub's endpoint (HF_ENDPOINT or --endpoint) holds a user name; a token goes into HF_TOKEN")
	case s.Cache == "":
		return errors.New("the hub's cache has no folder; set HF_HOME or HF_HUB_CACHE")
	}
	return nil
}

// trusts says whether a request to u may carry the token: it goes to the
// endpoint, and nobody on the way can read it.
func (s Settings) trusts(u *url.URL) bool {
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != endpoint.Scheme || !strings.EqualFold(u.Host, endpoint.Host) {
		return false
	}
	return u.Scheme == "https" || isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// firstSet returns the first of values that is not empty.
func firstSet(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// isTrue reads a switch as the Python tools do.
func isTrue(value string) bool {
	switch strings.ToUpper(value) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}
