package dist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/tagvalue"

	"github.com/distgate/distgate/staging/rule"
)

// SBOM is a list of components that a wheel brings with it (PEP 770).
type SBOM struct {
	Path       string   `json:"path"`
	Format     string   `json:"format"`     // "CycloneDX", "SPDX"
	Version    string   `json:"version"`    // of the format, "1.6"
	Components int      `json:"components"` // how many it lists
	Names      []string `json:"names"`      // of the first of them, "openblas 0.3.30"
}

// Bounds of SBOMs in one wheel.
const (
	maxSBOM       = 4 << 20 // bytes of one
	maxSBOMs      = 50
	maxComponents = 200 // that are named of one
)

func isSBOM(p placed) bool {
	return p.scheme == inInfo && p.Kind == PlainFile && strings.HasPrefix(p.below, "sboms/")
}

// sbom lists what an SBOM lists, or says that it cannot be read.
func (e *examiner) sbom(p placed, raw []byte) {
	s, err := readSBOM(p.Path, raw)
	if err == nil && len(e.contents.SBOMs) == maxSBOMs {
		err = fmt.Errorf("there are more than %d", maxSBOMs)
	}
	if err != nil {
		e.report.add(rule.SBOMUnread, rule.Look, p.Path, "a list of components that was not read: "+err.Error(), "")
		return
	}
	e.contents.SBOMs = append(e.contents.SBOMs, s)
}

// readSBOM reads CycloneDX as JSON or XML, or SPDX as JSON or tags and values. A
// library that panics on what it is given is an error.
func readSBOM(path string, raw []byte) (s SBOM, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = errors.New("it cannot be parsed")
		}
	}()
	if len(raw) > maxSBOM {
		return s, fmt.Errorf("it has more than %d bytes", maxSBOM)
	}
	s = SBOM{Path: path, Names: []string{}}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\ufeff")), " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("<")):
		err = s.cyclonedx(text, cyclonedx.BOMFileFormatXML)
	case bytes.Contains(text, []byte(`"bomFormat"`)):
		err = s.cyclonedx(text, cyclonedx.BOMFileFormatJSON)
	case bytes.HasPrefix(text, []byte("{")):
		err = s.spdx(spdxjson.Read(bytes.NewReader(text)))
	case bytes.HasPrefix(text, []byte("SPDXVersion:")):
		err = s.spdx(tagvalue.Read(bytes.NewReader(text)))
	default:
		err = errors.New("it is neither CycloneDX nor SPDX")
	}
	return s, err
}

func (s *SBOM) cyclonedx(text []byte, format cyclonedx.BOMFileFormat) error {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), format).Decode(&bom); err != nil {
		return err
	}
	if bom.SpecVersion == 0 || format == cyclonedx.BOMFileFormatJSON && bom.BOMFormat != cyclonedx.BOMFormat {
		return errors.New("it is not CycloneDX")
	}
	s.Format, s.Version = cyclonedx.BOMFormat, bom.SpecVersion.String()
	if bom.Components != nil {
		for _, c := range *bom.Components {
			s.add(c.Name, c.Version)
		}
	}
	return nil
}

func (s *SBOM) spdx(doc *spdx.Document, err error) error {
	if err != nil {
		return err
	}
	s.Format, s.Version = "SPDX", strings.TrimPrefix(doc.SPDXVersion, "SPDX-")
	for _, p := range doc.Packages {
		if p != nil {
			s.add(p.PackageName, p.PackageVersion)
		}
	}
	return nil
}

func (s *SBOM) add(name, version string) {
	if s.Components++; len(s.Names) < maxComponents {
		s.Names = append(s.Names, clip(strings.TrimSpace(name+" "+version)))
	}
}
