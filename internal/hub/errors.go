package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A ServerError says why the hub did not give what was asked, and what to do.
type ServerError struct {
	Subject string // repository, or file of one
	Status  int    // of HTTP; 0 where there was no answer
	Reason  string // with the remedy

	temporary bool          // worth another attempt
	after     time.Duration // not before; 0 where the server did not say
}

// Error is one line: what was asked, why it failed, what to do.
func (e *ServerError) Error() string { return e.Subject + ": " + e.Reason }

// Unreachable says whether another attempt at a later time may succeed, without
// any change of what is asked.
func (e *ServerError) Unreachable() bool { return e.temporary }

// refusal turns an answer that is no success into an error. Nothing that the
// server wrote is repeated: it may hold what was sent.
func (c *Client) refusal(subject string, repo Repo, answer *http.Response) error {
	e := &ServerError{Subject: subject, Status: answer.StatusCode}
	switch code := answer.Header.Get("X-Error-Code"); {
	case answer.StatusCode == http.StatusForbidden || code == "GatedRepo":
		e.Reason = fmt.Sprintf("access must be granted first (%d): open %s with your account, accept the conditions, and set HF_TOKEN to a token that may read it",
			answer.StatusCode, c.pageURL(repo))
	case answer.StatusCode == http.StatusUnauthorized:
		e.Reason = "not found, or private (401): check the name, and set HF_TOKEN to a token that may read it"
		if c.settings.token.reveal() != "" {
			e.Reason = "not found, or not for this token (401): check the name, and that HF_TOKEN has not expired and may read it"
		}
	case answer.StatusCode == http.StatusNotFound && code == "RevisionNotFound":
		e.Reason = "has no such revision (404): give a branch, a tag or a commit after @"
	case answer.StatusCode == http.StatusNotFound:
		e.Reason = "not found (404): check the name, capital letters included"
	case answer.StatusCode == http.StatusTooManyRequests:
		e.temporary, e.after = true, retryAfter(answer.Header)
		e.Reason = "too many requests (429): wait some minutes, or set HF_TOKEN, which raises the limit"
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusRequestTimeout:
		e.temporary, e.after = true, retryAfter(answer.Header)
		e.Reason = fmt.Sprintf("the hub is out of order (%d): try again later, what is there is kept", answer.StatusCode)
	default:
		e.Reason = fmt.Sprintf("the hub answers with %d: is the endpoint %s right?", answer.StatusCode, c.settings.Endpoint)
	}
	return e
}

// unanswered turns a failure of the connection into an error. Addresses are
// left out, since those of a content server hold signatures.
func (c *Client) unanswered(ctx context.Context, subject string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &ServerError{Subject: subject, temporary: true,
		Reason: fmt.Sprintf("no connection to %s (%s): check the network and HF_ENDPOINT; --offline uses what is there", c.settings.Endpoint, c.hide(err.Error()))}
}

// broken says that a transfer ended too early or was not what it should be, and
// that another attempt may do better.
func (c *Client) broken(subject, format string, args ...any) error {
	return &ServerError{Subject: subject, temporary: true, Reason: c.hide(fmt.Sprintf(format, args...))}
}

// hide removes the token from text, should some part of the system have put it there.
func (c *Client) hide(text string) string {
	if c.settings.token.reveal() == "" {
		return text
	}
	return strings.ReplaceAll(text, c.settings.token.reveal(), "[hidden]")
}

// pageURL is where a person finds the repository.
func (c *Client) pageURL(repo Repo) string {
	if repo.Kind == Dataset {
		return c.settings.Endpoint + "/datasets/" + repo.Name
	}
	return c.settings.Endpoint + "/" + repo.Name
}
