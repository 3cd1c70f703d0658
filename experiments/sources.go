package experiments

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"plumb/internal/corpus"
	"plumb/internal/world"
	"plumb/tasks"
)

// sources finds what trials read: texts, items, worlds. Each is read once.
type sources struct {
	from tasks.Source

	mu     sync.Mutex
	hashes map[string]string
	items  map[string]loadedTask
	worlds map[World]*world.World
}

type loadedTask struct {
	items []tasks.Item
	from  tasks.Provenance
	err   error
}

func openSources(from tasks.Source) *sources {
	return &sources{from: from, hashes: map[string]string{}, items: map[string]loadedTask{}, worlds: map[World]*world.World{}}
}

// textPath returns where a text of a spec lies.
func (s *sources) textPath(name string) (string, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.from.Dir, filepath.FromSlash(name))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		at, _ := filepath.Abs(path)
		return "", fmt.Errorf("no text %q: looked for %s; name the folder that holds it by --data DIR", name, at)
	} else if err != nil {
		return "", err
	}
	return path, nil
}

// textHash names the texts at a path by their contents, wherever they lie.
func (s *sources) textHash(name string) (string, error) {
	path, err := s.textPath(name)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.hashes[path]; ok {
		return known, nil
	}
	h := sha256.New()
	for d, err := range corpus.Documents(path, "file") {
		if err != nil {
			return "", err
		}
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(d.Text))))
		io.WriteString(h, d.Text)
	}
	s.hashes[path] = hex.EncodeToString(h.Sum(nil))
	return s.hashes[path], nil
}

// textSize returns about how many bytes the texts at a path have.
func (s *sources) textSize(name string) (int, error) {
	path, err := s.textPath(name)
	if err != nil {
		return 0, err
	}
	return corpus.Size(path)
}

// world returns the built-in world of a trial.
func (s *sources) world(w World) (*world.World, error) {
	w.Options = w.WithDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.worlds[w]; ok {
		return made, nil
	}
	made, err := world.New(w.Seed, w.Options)
	if err == nil {
		s.worlds[w] = made
	}
	return made, err
}

// load returns the items of a trial's task.
func (s *sources) load(t *Trial, name string) ([]tasks.Item, tasks.Provenance, error) {
	built, err := s.world(t.Settings.Data.World)
	if err != nil {
		return nil, tasks.Provenance{}, err
	}
	key := fmt.Sprintf("%s %d %d %d %d %+v", name, t.Settings.Limit, t.Settings.Items, t.Settings.Shots, t.Settings.Data.World.Seed, built.Options())
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, ok := s.items[key]
	if !ok {
		from := s.from
		from.World, from.Items, from.Limit = built, t.Settings.Items, t.Settings.Limit
		from.Shots.N = t.Settings.Shots
		loaded.items, loaded.from, loaded.err = tasks.Load(name, from)
		s.items[key] = loaded
	}
	return loaded.items, loaded.from, loaded.err
}

// taskInputs names what will be scored, and reports every task that cannot be
// loaded.
func (s *sources) taskInputs(t *Trial) ([]taskInputs, error) {
	inputs := []taskInputs{}
	var errs []error
	for _, name := range t.Tasks {
		task, err := tasks.All.Get(name)
		if err == nil {
			var from tasks.Provenance
			_, from, err = s.load(t, name)
			inputs = append(inputs, taskInputs{name, task.Version, from.Digest})
		}
		errs = append(errs, err)
	}
	return inputs, errors.Join(errs...)
}
