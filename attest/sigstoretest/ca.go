package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// leafLifetime is how long a certificate of Fulcio's holds.
const leafLifetime = 10 * time.Minute

// An issuer is a certificate of an authority with its key, and who issued it in turn.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	parent      *issuer // nil for a root
}

// newRoot makes an authority that vouches for itself.
func newRoot(organisation, name string) (*issuer, error) {
	template := authorityTemplate(organisation, name)
	template.MaxPathLen = -1
	certificate, key, err := newCertificate(template, nil)
	return &issuer{certificate, key, nil}, err
}

// newIntermediate makes an authority below this one, of the same organisation, that may have
// pathLen more between it and what it issues at last.
func (i *issuer) newIntermediate(
	name string, pathLen int, usage ...x509.ExtKeyUsage,
) (*issuer, error) {
	template := authorityTemplate(i.certificate.Subject.Organization[0], name)
	template.MaxPathLen, template.MaxPathLenZero = pathLen, pathLen == 0
	template.ExtKeyUsage = usage
	certificate, key, err := newCertificate(template, i)
	return &issuer{certificate, key, i}, err
}

// chain is the certificate, that of who issued it, and so on to the root.
func (i *issuer) chain() []*x509.Certificate {
	var chain []*x509.Certificate
	for ; i != nil; i = i.parent {
		chain = append(chain, i.certificate)
	}
	return chain
}

// certify makes Fulcio's certificate for the one who holds the key to pub, from notBefore on, with
// an SCT of each of the logs inside it.
func (i *issuer) certify(
	who identity, pub crypto.PublicKey, notBefore time.Time, logs ...*signingLog,
) (*x509.Certificate, error) {
	template, err := leafTemplate(who, pub, notBefore)
	if err != nil {
		return nil, err
	}
	for _, log := range logs {
		// The log signs the certificate without its own promise in it, which RFC 6962
		// section 3.2 calls the precertificate's TBSCertificate.
		precertificate, err := i.sign(template, pub)
		if err != nil {
			return nil, err
		}
		promise, err := log.promise(precertificate, i.certificate, notBefore)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, promise)
	}
	return i.sign(template, pub)
}

func (i *issuer) sign(template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, pub, i.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// leafTemplate lays a certificate out as Fulcio does: an empty subject, which makes the
// alternative name critical, and a key usage that is critical too.
func leafTemplate(who identity, pub crypto.PublicKey, from time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	keyID, err := cryptoutils.SKID(pub)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:    serial,
		NotBefore:       from,
		NotAfter:        from.Add(leafLifetime),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		SubjectKeyId:    keyID,
		URIs:            who.uris,
		EmailAddresses:  who.emails,
		ExtraExtensions: who.extensions,
	}, nil
}

func authorityTemplate(organisation, name string) *x509.Certificate {
	now := time.Now().UTC().Truncate(time.Second)
	return &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{organisation}, CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

// newCertificate makes a key and its certificate; without a parent the key signs itself.
func newCertificate(
	template *x509.Certificate, parent *issuer,
) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent = &issuer{template, key, nil}
	}
	if template.SerialNumber, err = newSerial(); err != nil {
		return nil, nil, err
	}
	certificate, err := parent.sign(template, key.Public())
	return certificate, key, err
}

// newSerial draws a serial number of at most 159 bits, so that it is positive in 20 octets
// (RFC 5280 section 4.1.2.2).
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
}

// keyID is the name of a log: the SHA-256 of its key (RFC 6962 section 3.2).
func keyID(pub crypto.PublicKey) ([sha256.Size]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	return sha256.Sum256(spki), err
}

// An identity is what Fulcio makes of a token: who is certified, and what else is known of them.
type identity struct {
	uris       []*url.URL
	emails     []string
	extensions []pkix.Extension
}
