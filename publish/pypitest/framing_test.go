package pypitest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// judgeZipFile says what is wrong with a zip, "" if nothing is.
func judgeZipFile(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	begin, ok := findZip(file, stat.Size())
	if !ok {
		return "File is not a zip file"
	}
	directory, err := openZip(file, begin, stat.Size())
	if err != nil {
		return noReason
	}
	if err := checkFraming(file, stat.Size(), directory); err != nil {
		return err.Error()
	}
	return ""
}

// TestFraming holds the walk through a zip against Warehouse's own.
func TestFramingVectors(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	dir = filepath.Join(dir, "python-dists")
	raw, err := os.ReadFile(filepath.Join(dir, "zip_cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			ID, File, Expected string
			Error              *string `json:"warehouse_error"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	// Errors of Python's own zip reader, which an upload is not told.
	pythons := map[string]string{"zip-reject-zip64_extra_too_short.zip": noReason}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			got := judgeZipFile(t, filepath.Join(dir, c.File))
			if accepted := got == ""; accepted != (c.Expected == "accept") {
				t.Errorf("want %s, got %q", c.Expected, got)
			}
			if c.Error != nil && got != *c.Error && pythons[c.ID] != got {
				t.Errorf("want %q, got %q", *c.Error, got)
			}
			if c.Error != nil && got == *c.Error && pythons[c.ID] != "" {
				t.Error("excepted for no reason")
			}
		})
	}
}
