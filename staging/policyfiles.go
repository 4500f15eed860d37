package staging

import "context"

// PolicyFiles reads the files of the policy that a release was staged under. Each
// hashes to what the manifest names; whether the manifest is true is not asked.
func (s *Store) PolicyFiles(ctx context.Context, m Manifest) ([]PolicyFile, error) {
	files := make([]PolicyFile, len(m.Policy.Files))
	no, err := each(ctx, s.width, len(files), func(ctx context.Context, i int) (err error) {
		f := m.Policy.Files[i]
		files[i].Name = f.Name
		files[i].Raw, err = s.at.read(ctx, f.Digest, maxPolicyFile, "policy/"+f.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return files, refusals(no)
}
