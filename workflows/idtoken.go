package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/distgate/distgate/attest"
)

const (
	maxTokenAnswer = 64 << 10         // bytes; a token of GitHub's has less than 3 KiB
	tokenTries     = 5                // requests for one token, the first included
	tokenWait      = 30 * time.Second // for one request and its answer
)

// IDToken asks GitHub for an ID token of the running job, each time anew.
//
// The URL and the token are those that a job with "id-token: write" finds in
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. The URL must
// be https, except on a loopback address. Network errors, 429 and 5xx answers
// are tried again a few times; every other answer than a token is an error.
func IDToken(client *http.Client, requestURL, requestToken string) attest.Token {
	return func(ctx context.Context, audience string) (string, error) {
		ask, err := newTokenRequest(client, requestURL, requestToken, audience)
		if err != nil {
			return "", fmt.Errorf("ID token: %w", err)
		}
		try := func() (string, error) { return ask.once(ctx) }
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval = 100 * time.Millisecond
		token, err := backoff.Retry(ctx, try,
			backoff.WithBackOff(pause), backoff.WithMaxTries(tokenTries))
		if err != nil {
			return "", fmt.Errorf("ID token for the audience %q: %w", audience, err)
		}
		return token, nil
	}
}

// tokenRequest is what is asked, where, and with which credentials.
type tokenRequest struct {
	client *http.Client
	url    *url.URL
	token  string
}

// newTokenRequest checks all that was handed in. Its errors quote none of it,
// for whoever confuses the two hands in the token as the URL.
func newTokenRequest(
	client *http.Client, requestURL, requestToken, audience string,
) (*tokenRequest, error) {
	if client == nil || audience == "" {
		return nil, errors.New("want a client and an audience")
	}
	if requestToken == "" {
		return nil, errors.New("there is no request token: give the job id-token: write")
	}
	u, err := url.Parse(requestURL)
	if err != nil || u.Host == "" || u.User != nil || !attest.IsPrivate(u) {
		return nil, errors.New("the request URL is not an https URL: give the job id-token: write")
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "audience=" + url.QueryEscape(audience)
	u.Fragment, u.RawFragment = "", ""
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &tokenRequest{client: &stay, url: u, token: requestToken}, nil
}

// once makes one request. Errors that another try cannot mend are permanent.
func (t *tokenRequest) once(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), nil)
	if err != nil {
		return "", backoff.Permanent(err)
	}
	request.Header.Set("Authorization", "bearer "+t.token)
	request.Header.Set("Accept", "application/json; api-version=2.0")
	response, err := t.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%s: %w", t.url.Host, withoutURL(err))
	}
	defer response.Body.Close()
	return t.read(response)
}

// read takes the token out of an answer. What an unexpected answer says is not
// repeated: it could hold the token that was sent.
func (t *tokenRequest) read(response *http.Response) (string, error) {
	status := response.StatusCode
	if status >= 500 || status == http.StatusTooManyRequests {
		return "", fmt.Errorf("%s: want status 200, got %d", t.url.Host, status)
	}
	if status != http.StatusOK {
		return "", backoff.Permanent(fmt.Errorf("%s: want status 200, got %d", t.url.Host, status))
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswer+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", t.url.Host, err)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if len(raw) > maxTokenAnswer || json.Unmarshal(raw, &answer) != nil || answer.Value == "" {
		return "", backoff.Permanent(fmt.Errorf(
			"%s: want a token as {\"value\": …}, got %d bytes of something else", t.url.Host, len(raw)))
	}
	return answer.Value, nil
}

// withoutURL is the cause alone: the URL of the request names the run.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
