package publish

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Trusted publishing as PEP 807 has it. PyPI does not say where its endpoints
// are, and has them below /_/oidc/.
const (
	pytpJSON = "application/vnd.pypi.pytp.v1+json"
	pytpPath = "/.well-known/pytp"
)

// exchange is where an index exchanges ID tokens for upload tokens.
type exchange struct {
	audience, mint, burn *url.URL
	single               bool // a token is good for one upload
}

// discover asks the index where it exchanges tokens. One that does not say so
// has Warehouse's paths. What it says must be on the very origin that files are
// uploaded to: an ID token is shown to nobody else.
func (x *Index) discover(ctx context.Context) (exchange, error) {
	own := exchange{audience: x.oidc.JoinPath(audiencePath), mint: x.oidc.JoinPath(mintPath), burn: x.oidc.JoinPath(burnPath)}
	at := x.upload.ResolveReference(&url.URL{Path: pytpPath,
		RawQuery: url.Values{"discover": {x.upload.EscapedPath()}}.Encode()})
	a, err := x.get(ctx, at, pytpJSON, maxAnswer)
	if err != nil {
		return exchange{}, err
	}
	if a.status != http.StatusOK || a.media != pytpJSON {
		return own, nil
	}
	var audience, mint string
	var features []string
	if err := x.json(at, a, map[string]any{
		"audience-endpoint": &audience, "token-mint-endpoint": &mint, "default-features": &features,
	}); err != nil {
		return exchange{}, err
	}
	own.single = features != nil && !slices.Contains(features, "multi-use-token")
	if own.audience, err = x.own(at, "audience-endpoint", audience); err != nil {
		return exchange{}, err
	}
	own.mint, err = x.own(at, "token-mint-endpoint", mint)
	return own, err
}

// own wants an address of the origin that files are uploaded to.
func (x *Index) own(at *url.URL, what, address string) (*url.URL, error) {
	u, err := secure(address)
	if err != nil {
		return nil, x.unreadable(at, "the address of its "+what, err.Error())
	}
	if origin(u) != origin(x.upload) {
		return nil, x.unreadable(at, fmt.Sprintf("an %s at %s, where files are uploaded", what, origin(x.upload)), origin(u))
	}
	return u, nil
}
