package pypitest_test

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
)

// incompressible is text that gzip cannot shorten much.
func incompressible(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return string(raw)
}

// bomb is a zip that unpacks to much more than its size.
func bomb() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("zeros")
	if err != nil {
		panic(err)
	}
	f.Write(make([]byte, 65<<20))
	w.Close()
	return out.Bytes()
}

// trailing is a zip whose comment is longer than it says, so that bytes are
// left behind its end.
func trailing(content []byte) []byte { return append(bytes.Clone(content), "more"...) }
