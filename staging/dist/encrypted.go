package dist

import (
	"bytes"
	"path"
	"strings"
)

// maxEncrypted is the size in bytes up to which the index looks into a module.
const maxEncrypted = 5 << 20

// mayBeEncrypted tells of which files the index reads the content
// (warehouse/utils/scanner.py).
func mayBeEncrypted(m Member) bool {
	base := path.Base(m.Path)
	ext := path.Ext(base)
	return m.Kind == PlainFile && m.Size <= maxEncrypted && ext != base &&
		(strings.EqualFold(ext, ".py") || strings.EqualFold(ext, ".pye"))
}

// encryptions are what the index takes for encrypted code by its texts
// (warehouse/utils/scanner_rules). All of them must be there, each in one of its
// forms, and a part that all forms have is looked for first. A new tool is a new row.
var encryptions = []struct {
	tool, part string
	texts      [][]string
}{
	{"PyArmor", "pyarmor_", [][]string{{"__pyarmor__(__name__, __file__,", "__pyarmor_enter__", "__pyarmor_exit__", "__pyarmor_assert__",
		"__pyarmor_bcc__"}}},
	{"SourceDefender", "PYE FILE---", [][]string{{"---BEGIN PYE FILE---"}, {"---END PYE FILE---"}}},
}

// encryptedFault tells by which tool code was encrypted, or nothing.
func encryptedFault(code []byte) string {
	for _, e := range encryptions {
		if !bytes.Contains(code, []byte(e.part)) {
			continue
		}
		found := 0
		for _, forms := range e.texts {
			for _, text := range forms {
				if bytes.Contains(code, []byte(text)) {
					found++
					break
				}
			}
		}
		if found == len(e.texts) {
			return "code that " + e.tool + " encrypted"
		}
	}
	return ""
}
