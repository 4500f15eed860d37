package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

func newMirror(s Streams) *cobra.Command {
	var f shared
	c := &cobra.Command{
		Use:   "mirror RELEASE",
		Short: "Make the GitHub release of a published release",
		Long: `Mirror makes the release on GitHub, in the repository that the policy names as
github.release: the very files that were published, SHA256SUMS, their bundles and the
receipt. It proves the release again and wants its receipt. The release on GitHub is a
draft until all files are there with the digests that GitHub keeps of them, and is
published then. Run again, it goes on where it ended; what somebody else put there is
refused and not written over.

It needs GITHUB_TOKEN with "contents: write" for that repository, and no ID token: let
a job of its own do it, after the one that publishes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			return r.mirror(c.Context(), s, f)
		},
	}
	f.bind(c)
	return c
}

// mirrored is the result of mirror.
type mirrored struct {
	Repository string   `json:"repository"`
	Tag        string   `json:"tag"`
	URL        string   `json:"url"`
	Files      []string `json:"files"`
}

func (r release) mirror(ctx context.Context, s Streams, f shared) error {
	repository := r.policy.table.GitHub.Release
	if repository == "" {
		return usagef(r.policy.file + " has no github.release, which mirror needs: the repository that has the releases on " +
			"GitHub, as OWNER/NAME")
	}
	if err := r.withdrawn(ctx, s); err != nil {
		return err
	}
	receipt, err := r.receipt(ctx)
	if err != nil {
		return err
	}
	wanted, err := r.onGitHub(repository, receipt)
	if err != nil {
		return err
	}
	client, err := r.policy.github(s)
	if err != nil {
		return err
	}
	p := printer{s.Err}
	url, err := client.Publish(ctx, wanted, func(e workflows.Event) {
		p.line("%-10s %s%s", string(e.Step), e.Artifact, sizeText(e.Size))
	})
	if err != nil {
		return err
	}
	return showMirrored(s, f, wanted, url)
}

// receipt is the first that is believed: what was never confirmed is not copied.
func (r release) receipt(ctx context.Context) (publish.Believed, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return publish.Believed{}, err
	}
	m := r.staged.Manifest()
	believed, _, err := publish.Receipts(ctx, r.store, staging.Release{Digest: r.staged.Digest(), Manifest: m}, publisher, r.policy.verifier)
	if err == nil && len(believed) == 0 {
		err = rule.Refusals{{File: m.Project + " " + m.Version, Rule: rule.ReceiptRecord, Want: "a receipt: the release is on " + r.index, Got: "none",
			Hint: "publish it first"}}
	}
	if err != nil {
		return publish.Believed{}, err
	}
	return believed[0], nil
}

// onGitHub is the release as it must be there. Where the repository is the one that
// was built from, its tag must be of the commit that was built.
func (r release) onGitHub(repository string, receipt publish.Believed) (workflows.Release, error) {
	m := r.staged.Manifest()
	tag, isTag := strings.CutPrefix(m.Source.Ref, "refs/tags/")
	if !isTag {
		tag = "v" + m.Version
	}
	version, err := dist.ParseVersion(m.Version)
	if err != nil {
		return workflows.Release{}, err
	}
	out := workflows.Release{Repository: repository, Tag: tag, Name: m.Project + " " + m.Version,
		Prerelease: version.IsPre(), Body: r.notes(receipt)}
	if strings.EqualFold(m.Source.Repository, "https://github.com/"+repository) {
		out.Commit = m.Source.Commit
	}
	bundles, err := r.bundles()
	if err != nil {
		return workflows.Release{}, err
	}
	for _, file := range m.Files {
		out.Files = append(out.Files, workflows.ReleaseFile{Name: file.Name, Digest: file.Digest, Size: file.Size,
			Open: func() (io.ReadCloser, error) { return r.staged.Reader(file.Name) }})
	}
	for _, small := range []struct {
		name string
		raw  []byte
	}{{"SHA256SUMS", sums(m)}, {"bundles.jsonl", bundles}, {"receipt.sigstore.json", receipt.Bundle}} {
		out.Files = append(out.Files, workflows.ReleaseFile{Name: small.name, Digest: dist.Sum(small.raw), Size: int64(len(small.raw)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(small.raw)), nil }})
	}
	return out, nil
}

// sums is what sha256sum prints of the files.
func sums(m staging.Manifest) []byte {
	var b bytes.Buffer
	for _, f := range m.Files {
		fmt.Fprintf(&b, "%s  %s\n", f.Digest.Hex(), f.Name)
	}
	return b.Bytes()
}

// bundles are those of all files, a line each, as verify reads them beside a file.
func (r release) bundles() ([]byte, error) {
	var b bytes.Buffer
	seen := map[dist.Digest]bool{}
	for _, f := range r.staged.Files() {
		for _, bundle := range f.Bundles() {
			if seen[bundle.Digest()] {
				continue
			}
			seen[bundle.Digest()] = true
			if err := json.Compact(&b, bundle.Raw()); err != nil {
				return nil, err
			}
			b.WriteByte('\n')
		}
	}
	return b.Bytes(), nil
}

// notes are the text of the release. Nothing in it is from outside but names that
// were held to their forms.
func (r release) notes(receipt publish.Believed) string {
	m := r.staged.Manifest()
	return fmt.Sprintf("%s %s, as index %s has it.\n\n- release digest `%s`\n- built from `%s`\n- published by %s\n\n"+
		"`SHA256SUMS` has the digests of the files, `bundles.jsonl` the proof of where each was built, `receipt.sigstore.json` what the index served.\n",
		m.Project, m.Version, m.Index, r.staged.Digest(), m.Source.Commit, strings.TrimSpace(receipt.Signer.Run))
}

func showMirrored(s Streams, f shared, r workflows.Release, url string) error {
	result := mirrored{Repository: r.Repository, Tag: r.Tag, URL: url, Files: []string{}}
	for _, file := range r.Files {
		result.Files = append(result.Files, file.Name)
	}
	if f.json {
		return emit(s.Out, result)
	}
	p := printer{s.Out}
	p.line("mirrored   %s: %s, each with the digest that GitHub keeps of it", r.Name, plural(len(r.Files), "file"))
	p.field("tag", r.Tag+" of "+r.Repository)
	p.field("page", url)
	return nil
}
