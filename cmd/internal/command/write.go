package command

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// writeIn writes a file of a folder under a temporary name, and gives it its own
// when all of it is there. A commit can bring a link that leads elsewhere: one under
// the file's name is replaced and not followed, and one on the way to it that leaves
// the folder is an error.
func writeIn(dir, name string, raw []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	temp := name + "." + rand.Text()
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return nil
}
