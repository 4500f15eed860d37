package workflows_test

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

const (
	benchWheels = 72
	benchSize   = 12_700_000 // bytes of each
)

// A release of 72 wheels of 12.7 MB, each an artifact, with one attestation for
// all: collected and verified with every job, beside the least that anybody
// could do, four artifacts at a time: to download and hash them, and to keep
// them, unpack them and hash what was in them besides. Everything runs in this
// process, GitHub too. Set TMPDIR to a disk with 5 GB.
func BenchmarkCollect(b *testing.B) {
	f := newForge(b)
	f.run()
	f.wheels(b)
	var ratios, unpacked []float64
	calls, heap := 0, uint64(0)
	b.SetBytes(benchWheels * benchSize)
	for b.Loop() {
		floor := f.floor(b, func(workflows.Artifact) (io.WriteCloser, error) { return nowhere{io.Discard}, nil })
		kept := b.TempDir()
		keeping := f.floor(b, func(a workflows.Artifact) (io.WriteCloser, error) {
			return newUnzipped(filepath.Join(kept, a.Name))
		})
		f.check(os.RemoveAll(kept))
		dir, err := os.MkdirTemp(b.TempDir(), "store")
		f.check(err)
		store, err := blob.Open(dir)
		f.check(err)
		started, before := time.Now(), f.requests("")
		most := watchHeap()
		got, err := f.collect(store, wanted("wheel-*"))
		heap = max(heap, most())
		f.check(err)
		f.check(f.client().AddAttestations(b.Context(), repository, got.Candidates))
		verdict, err := f.verify(attest.EveryJob, got.Candidates)
		f.check(err)
		f.check(verdict.Err())
		calls = f.requests("") - before
		took := float64(time.Since(started))
		ratios, unpacked = append(ratios, took/float64(floor)), append(unpacked, took/float64(keeping))
		f.check(os.RemoveAll(dir))
	}
	slices.Sort(ratios)
	slices.Sort(unpacked)
	b.ReportMetric(ratios[len(ratios)/2], "collect/download")
	b.ReportMetric(unpacked[len(unpacked)/2], "collect/unpack")
	b.ReportMetric(float64(heap)/1e6, "heap-MB")
	b.ReportMetric(float64(calls), "calls")
}

// watchHeap looks at the heap until the function that it returns is called, which
// says how large it was at most, in bytes.
func watchHeap() (most func() uint64) {
	runtime.GC()
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		var heap uint64
		for {
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapInuse)
			select {
			case <-done:
				peak <- heap
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return <-peak }
}

// wheels uploads the release.
func (f *forge) wheels(b *testing.B) {
	b.Helper()
	dir := b.TempDir()
	noise := make([]byte, benchSize)
	rand.NewChaCha8([32]byte{}).Read(noise)
	var subjects []sigstoretest.Subject
	for i := range benchWheels {
		tag := fmt.Sprintf("%d-py3-none-any", i)
		info := "widget-1.0.dist-info/"
		raw, err := zipped(withRecord(info, [][2]string{
			{"widget.py", fmt.Sprint(i)}, {"noise", string(noise)},
			{info + "METADATA", metadata("1.0")}, {info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		}))
		f.check(err)
		name := "widget-1.0-" + tag + ".whl"
		path := filepath.Join(dir, name+".zip")
		f.check(parcel(path, name, raw))
		file, err := os.Open(path)
		f.check(err)
		b.Cleanup(func() { file.Close() })
		stat, err := file.Stat()
		f.check(err)
		f.put(githubtest.Artifact{Run: runID, Name: fmt.Sprint("wheel-", i), Blob: file, Size: stat.Size()})
		subjects = append(subjects, sigstoretest.Subject{Name: name, SHA256: dist.Sum(raw).Hex()})
	}
	bundle, err := f.sigstore.Sign(f.claims, sigstoretest.Provenance(f.claims, subjects...))
	f.check(err)
	f.attest(githubtest.Attestation{Bundle: bundle})
}

// parcel is the zip of an artifact with one file, which is not compressed.
func parcel(path, name string, raw []byte) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	return z.Close()
}

// nowhere keeps nothing.
type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }

// unzipped is a file that, when all of it is there, is unpacked beside itself,
// and what was in it hashed.
type unzipped struct{ *os.File }

func newUnzipped(path string) (unzipped, error) {
	file, err := os.Create(path)
	return unzipped{file}, err
}

func (u unzipped) Close() error {
	defer u.File.Close()
	size, err := u.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(u.File, size)
	if err != nil {
		return err
	}
	for i, member := range archive.File {
		if err := unzip(member, fmt.Sprintf("%s.%d", u.Name(), i)); err != nil {
			return err
		}
	}
	return nil
}

func unzip(member *zip.File, path string) error {
	in, err := member.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.CopyBuffer(io.MultiWriter(sha256.New(), out), in, make([]byte, 128<<10))
	return err
}

// floor downloads and hashes every artifact, and writes it to what open returns.
func (f *forge) floor(b *testing.B, open func(workflows.Artifact) (io.WriteCloser, error)) time.Duration {
	b.Helper()
	run, err := f.client().Run(b.Context(), repository, runID)
	f.check(err)
	artifacts, err := f.client().Artifacts(b.Context(), run)
	f.check(err)
	token := f.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read"}})
	started := time.Now()
	var group errgroup.Group
	group.SetLimit(4)
	for _, a := range artifacts {
		group.Go(func() error {
			to, err := open(a)
			if err != nil {
				return err
			}
			return errors.Join(f.download(a, token, to), to.Close())
		})
	}
	f.check(group.Wait())
	return time.Since(started)
}

func (f *forge) download(a workflows.Artifact, token string, kept io.Writer) error {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/repos/%s/actions/artifacts/%d/zip", f.api, repository, a.ID), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	to, err := client.Do(request)
	if err != nil {
		return err
	}
	to.Body.Close()
	response, err := http.Get(to.Header.Get("Location"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	hash := sha256.New()
	_, err = io.CopyBuffer(io.MultiWriter(hash, kept), response.Body, make([]byte, 128<<10))
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); err == nil && got != a.Digest.String() {
		err = fmt.Errorf("%s: got %s, want %s", a.Name, got, a.Digest)
	}
	return err
}
