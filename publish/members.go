package publish

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
)

// Bounds on what is read of earlier wheels.
const (
	maxMetadata = 16 << 20 // bytes
	maxEntries  = 1 << 20  // bytes of entry_points.txt
	maxSpecial  = 500      // members that run by themselves or on a machine
)

// of returns the metadata of a wheel on the index: the file beside it, by its
// digest (PEP 658), or if the index names none, what stands in the wheel.
func (m *metadataOf) of(ctx context.Context, s served, in *zip.Reader) (dist.Metadata, bool, error) {
	i := slices.IndexFunc(s.metadata, func(text string) bool { _, err := dist.ParseDigest(text); return err == nil })
	if i < 0 {
		if in == nil {
			return dist.Metadata{}, false, errors.New("the index names no digest of them, and the wheel could not be read")
		}
		raw, err := member(in, "METADATA", maxMetadata)
		if err != nil {
			return dist.Metadata{}, false, err
		}
		metadata, err := dist.ReadMetadata(s.name, bytes.NewReader(raw))
		return metadata, true, err
	}
	m.mu.Lock()
	read, ok := m.known[s.metadata[i]]
	if !ok {
		read = sync.OnceValues(func() (dist.Metadata, error) { return m.index.metadata(ctx, s, s.metadata[i]) })
		m.known[s.metadata[i]] = read
	}
	m.mu.Unlock()
	metadata, err := read()
	return metadata, false, err
}

// metadata fetches the metadata beside a wheel.
func (x *Index) metadata(ctx context.Context, s served, digest string) (dist.Metadata, error) {
	at := *s.url
	at.Path, at.RawPath = at.Path+".metadata", ""
	a, err := again(ctx, briefly(), func() (answer, error) { return x.get(ctx, &at, "*/*", maxMetadata) })
	switch {
	case err != nil:
		return dist.Metadata{}, err
	case a.status != 200:
		return dist.Metadata{}, fmt.Errorf("%s: %s", at.Redacted(), a.says())
	case dist.Sum(a.body).String() != digest:
		return dist.Metadata{}, fmt.Errorf("%s: %s, where the index lists %s", at.Redacted(), dist.Sum(a.body), digest)
	}
	return dist.ReadMetadata(s.name, bytes.NewReader(a.body))
}

// publishers are those whom the integrity API names for a file, each once.
func (x *Index) publishers(ctx context.Context, s served) (list []approval.Publisher, err error) {
	a, err := again(ctx, briefly(), func() (answer, error) {
		return x.get(ctx, s.attested, integrityJSON, maxProvenance)
	})
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, errors.New(a.says())
	}
	var object struct {
		Bundles []struct {
			Publisher struct {
				Kind, Repository, Workflow, Environment, Email string
				File                                           string `json:"workflow_filepath"`
			} `json:"publisher"`
		} `json:"attestation_bundles"`
	}
	if err := json.Unmarshal(a.body, &object); err != nil || len(object.Bundles) == 0 {
		return nil, errors.New("no provenance object as PEP 740 has it")
	}
	for _, b := range object.Bundles {
		p := b.Publisher
		said := approval.Publisher{Kind: brief(p.Kind), Repository: brief(p.Repository + p.Email),
			Workflow: brief(p.Workflow + p.File), Environment: brief(p.Environment)}
		if !slices.Contains(list, said) {
			list = append(list, said)
		}
	}
	return list, nil
}

// member reads one small file of the .dist-info folder.
func member(z *zip.Reader, name string, max int64) ([]byte, error) {
	for _, f := range z.File {
		if folder, base, _ := strings.Cut(f.Name, "/"); base != name || !strings.HasSuffix(folder, ".dist-info") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		raw, err := io.ReadAll(io.LimitReader(r, max+1))
		if err == nil && int64(len(raw)) > max {
			err = fmt.Errorf("more than %d bytes of %s", max, name)
		}
		return raw, err
	}
	return nil, nil
}

// content is what is known of a member's bytes: what the directory of a zip file
// says, or what was read of a tar file.
type content struct {
	size   int64
	crc    uint32
	digest dist.Digest
	link   string
}

// contents are the files of a wheel by their names, in which the version in a
// folder's name is left out. What differs in every release does not count.
func contents(z *zip.Reader) map[string]content {
	found := map[string]content{}
	for _, f := range z.File {
		name := f.Name
		top, rest, _ := strings.Cut(name, "/")
		for _, folder := range []string{".dist-info", ".data"} {
			if strings.HasSuffix(top, folder) {
				name = "*" + folder + "/" + rest
			}
		}
		if strings.HasSuffix(name, "/") || name == "*.dist-info/RECORD" || name == "*.dist-info/METADATA" {
			continue
		}
		found[name] = content{size: int64(f.UncompressedSize64), crc: f.CRC32}
	}
	return found
}

// compare counts what came, went and changed, and lists it.
func (r *compared) compare(was, now map[string]content) {
	gone := map[string]string{} // native libraries, by what they are called without versions
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, stays := now[name]; !stays {
			r.change.Removed++
			gone[nameless(name)] = name
			r.list(approval.MemberChange{Name: name, Was: was[name].size, Now: -1})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		old, stays := was[name]
		switch {
		case !stays:
			r.change.Added++
			m := approval.MemberChange{Name: name, Was: -1, Now: now[name].size}
			if kindOf(name) == approval.Native {
				m.Like = gone[nameless(name)]
				delete(gone, nameless(name))
			}
			r.list(m)
		case old != now[name]:
			r.change.Changed++
			r.list(approval.MemberChange{Name: name, Was: old.size, Now: now[name].size})
		}
	}
}

// list keeps a change, within bounds. Members that matter by themselves and are
// too many are a gap.
func (r *compared) list(m approval.MemberChange) {
	m.Kind = kindOf(m.Name)
	m.Name, m.Like = brief(m.Name), brief(m.Like)
	if r.listed == nil {
		r.listed = map[bool]int{}
	}
	special := m.Kind != approval.Other
	switch r.listed[special]++; {
	case r.listed[special] <= maxOthers || special && r.listed[special] <= maxSpecial:
		r.members = append(r.members, m)
	case special && r.listed[special] == maxSpecial+1:
		r.gap(fmt.Sprintf("libraries, scripts and start-up code beyond %d of a wheel", maxSpecial), errors.New("there are more"))
	}
}

// kindOf tells by its name alone why a member of a wheel matters.
func kindOf(name string) approval.MemberKind {
	lower := strings.ToLower(name)
	base := path.Base(lower)
	stem, _, _ := strings.Cut(base, ".")
	inside := strings.TrimPrefix(strings.TrimPrefix(lower, "*.data/purelib/"), "*.data/platlib/")
	top, _, _ := strings.Cut(inside, "/")
	topStem, _, _ := strings.Cut(top, ".")
	switch {
	case strings.HasSuffix(base, ".pth") || strings.HasSuffix(base, ".start"),
		slices.Contains([]string{"sitecustomize", "usercustomize"}, topStem),
		inside == base && slices.Contains([]string{"sitecustomize", "usercustomize"}, stem):
		return approval.Startup
	case strings.HasPrefix(lower, "*.data/scripts/"):
		return approval.Script
	case isNative(base):
		return approval.Native
	}
	return approval.Other
}

// isNative tells a library or a program by its ending: .so may have a version
// after it.
func isNative(base string) bool {
	switch path.Ext(base) {
	case ".so", ".dylib", ".dll", ".pyd", ".exe":
		return true
	}
	_, version, ok := strings.Cut(base, ".so.")
	return ok && strings.Trim(version, "0123456789.") == ""
}

// nameless is a library's name without the versions and digests that change
// with it: auditwheel's libgfortran-040039e1.so.5.0.0 is libgfortran.so.
func nameless(name string) string {
	dir, base := path.Split(strings.ToLower(name))
	parts := slices.DeleteFunc(strings.FieldsFunc(base, func(r rune) bool { return r == '.' || r == '-' }),
		func(part string) bool {
			return strings.Trim(part, "0123456789") == "" || len(part) >= 6 && strings.Trim(part, "0123456789abcdef") == ""
		})
	return dir + strings.Join(parts, ".")
}

// compareEntries compares entry_points.txt.
func compareEntries(theirs, ours *zip.Reader) ([]approval.Difference, error) {
	var lists [2]map[[2]string]string
	for i, z := range []*zip.Reader{theirs, ours} {
		raw, err := member(z, "entry_points.txt", maxEntries)
		if err != nil {
			return nil, err
		}
		if lists[i], err = entryPoints(raw); err != nil {
			return nil, err
		}
	}
	return differences(lists[0], lists[1], func(key [2]string, value string) approval.Difference {
		return approval.Difference{Field: brief(key[0]), Now: brief(key[1] + " = " + value)}
	}), nil
}

// differences are those between two tables. Of one entry say makes a Difference
// with its value in Now.
func differences[K comparable](was, now map[K]string, say func(K, string) approval.Difference) (list []approval.Difference) {
	for key, value := range now {
		d := say(key, value)
		old, known := was[key]
		if known && old == value {
			continue
		}
		if known {
			d.Was = say(key, old).Now
		}
		list = append(list, d)
	}
	for key, value := range was {
		if _, stays := now[key]; !stays {
			d := say(key, value)
			d.Was, d.Now = d.Now, ""
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b approval.Difference) int {
		return strings.Compare(a.Field+"\x00"+a.Now+a.Was, b.Field+"\x00"+b.Now+b.Was)
	})
	return list
}

// entryPoints reads entry_points.txt: [group], name = object.
func entryPoints(raw []byte) (map[[2]string]string, error) {
	found, group := map[[2]string]string{}, ""
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxEntries+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			group = strings.TrimSpace(line[1 : len(line)-1])
		default:
			name, object, ok := strings.Cut(line, "=")
			if !ok || group == "" {
				return nil, errors.New("entry_points.txt has a line that is no entry point")
			}
			found[[2]string{group, strings.TrimSpace(name)}] = strings.TrimSpace(object)
		}
	}
	return found, lines.Err()
}

// metadataFields are the fields that are compared. Of those with a text for each
// project or value the key says which line changed.
func metadataFields() map[string]func(value string) (key string) {
	whole := func(value string) string { return value }
	single := func(string) string { return "" }
	return map[string]func(string) string{
		"Requires-Dist": dependency, "Requires-Python": single, "Requires-External": whole,
		"Provides-Extra": whole, "License-Expression": single, "License": single, "Summary": single,
		"Author": single, "Author-email": single, "Maintainer": single, "Maintainer-email": single,
		"Home-page": single, "Project-URL": label, "Import-Name": whole, "Import-Namespace": whole,
	}
}

// dependency is whom a requirement is for: the project's normalised name, apart
// where it is wanted for an extra alone.
func dependency(requirement string) string {
	end := strings.IndexFunc(requirement, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
	})
	if end < 0 {
		end = len(requirement)
	}
	name, err := dist.NormalizeName(requirement[:end])
	if err != nil {
		name = requirement
	}
	if _, marker, ok := strings.Cut(requirement, ";"); ok && strings.Contains(marker, "extra") {
		name += " for an extra"
	}
	return name
}

// label is what stands before the comma of a Project-URL.
func label(value string) string {
	name, _, _ := strings.Cut(value, ",")
	return name
}

// compareMetadata compares the fields that people and installers go by.
func compareMetadata(was, now dist.Metadata) (list []approval.Difference) {
	fields := metadataFields()
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		table := func(m dist.Metadata) map[string]string {
			lines := map[string][]string{}
			for _, value := range m.Values(field) {
				if field == "Requires-Python" {
					value = specifiers(value)
				}
				value = strings.Join(strings.Fields(value), " ")
				key := fields[field](value)
				lines[key] = append(lines[key], value)
			}
			joined := map[string]string{}
			for key, values := range lines {
				slices.Sort(values)
				joined[key] = strings.Join(values, " | ")
			}
			return joined
		}
		list = append(list, differences(table(was), table(now), func(_, value string) approval.Difference {
			return approval.Difference{Field: field, Now: brief(value)}
		})...)
	}
	return list
}
