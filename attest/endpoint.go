package attest

import (
	"net"
	"net/url"
)

// IsLoopback tells whether a host, by name or address, is this machine.
func IsLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// IsPrivate tells whether nobody on the way can read or change what is sent to
// u: by https, or to this machine. No token goes anywhere else.
func IsPrivate(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname())
}
