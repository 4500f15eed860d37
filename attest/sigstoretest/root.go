package sigstoretest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// trustedRoot encodes the instance's public half. What it does not have is not in it.
func (s *Sigstore) trustedRoot() ([]byte, error) {
	since := s.ca.certificate.NotBefore
	root := &trustroot.TrustedRoot{
		MediaType:              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		CertificateAuthorities: []*trustroot.CertificateAuthority{trusted(s.fulcio, s.ca.chain())},
		TimestampAuthorities:   []*trustroot.CertificateAuthority{trusted(s.tsa.uri, s.tsa.chain())},
	}
	for _, ct := range s.ct {
		log, err := trustedLog(ct.url, ct.key, ct.id[:], since)
		if err != nil {
			return nil, err
		}
		root.Ctlogs = append(root.Ctlogs, log)
	}
	if s.log != nil {
		log, err := trustedLog("https://"+s.log.host, s.log.key, s.log.id[:], since)
		if err != nil {
			return nil, err
		}
		root.Tlogs = append(root.Tlogs, log)
	}
	return marshal(root)
}

// trusted describes an authority by its chain, which ends with the root.
func trusted(uri string, chain []*x509.Certificate) *trustroot.CertificateAuthority {
	root := chain[len(chain)-1]
	var certificates []*common.X509Certificate
	for _, c := range chain {
		certificates = append(certificates, &common.X509Certificate{RawBytes: c.Raw})
	}
	return &trustroot.CertificateAuthority{
		Uri: uri,
		Subject: &common.DistinguishedName{
			Organization: root.Subject.Organization[0],
			CommonName:   root.Subject.CommonName,
		},
		CertChain: &common.X509CertificateChain{Certificates: certificates},
		ValidFor:  from(root.NotBefore),
	}
}

func trustedLog(
	url string, key *ecdsa.PrivateKey, id []byte, since time.Time,
) (*trustroot.TransparencyLogInstance, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return &trustroot.TransparencyLogInstance{
		BaseUrl:       url,
		HashAlgorithm: common.HashAlgorithm_SHA2_256,
		PublicKey: &common.PublicKey{
			RawBytes:   spki,
			KeyDetails: common.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
			ValidFor:   from(since),
		},
		LogId: &common.LogId{KeyId: id},
	}, nil
}

// from is the period that has begun and has no end.
func from(t time.Time) *common.TimeRange { return &common.TimeRange{Start: timestamppb.New(t)} }

// marshal encodes a message as JSON without white space, of which protojson puts in some at random.
func marshal(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
