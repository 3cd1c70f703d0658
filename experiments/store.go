package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"plumb/internal/atomicfile"
)

// Names in the folder of an experiment and of a stage.
const (
	stageFile     = "stage.json"         // written last: the stage is complete
	recordsFile   = "records.jsonl"      // measurements
	timingsFile   = "timings.jsonl"      // what differs between repetitions
	curveFile     = "curve.jsonl"        // loss while training
	itemsFolder   = "items"              // what every choice scored
	modelFolder   = "model"              // trained weights
	checkpointDir = "checkpoint"         // of a training run under way
	lockFolder    = "locks"              // one file for each stage at work
	asideFolder   = "set-aside"          // damaged stages
	failureFolder = "failures"           // why a stage failed last time
	summaryFile   = "experiment.json"    // what report needs of the spec
	roundsFile    = "speed-rounds.jsonl" // what models took, round by round
	speedFileName = "speed.json"         // what that comes to
)

// stageFormat is the version of the stage file.
const stageFormat = "plumb-stage-1"

// A store is the folder of one experiment: runs/EXPERIMENT, with a folder for
// each stage. Several processes may use it at once.
type store struct {
	root string
	disk disk

	mu       sync.Mutex
	verified map[string]bool // stages found whole by this process
}

func openStore(root string, d disk) *store {
	return &store{root: root, disk: d, verified: map[string]bool{}}
}

func (s *store) folder(id string) string { return filepath.Join(s.root, id) }

// A manifest says what a complete stage consists of.
type manifest struct {
	Format string           `json:"format"`
	Kind   string           `json:"kind"`
	ID     string           `json:"id"`
	Inputs json.RawMessage  `json:"inputs"` // all that the stage depends on; ID is their hash
	Files  []atomicfile.Sum `json:"files"`
	Check  string           `json:"check"` // SHA-256 of the manifest without this line
}

func (m manifest) sum() string {
	m.Check = ""
	data, _ := json.Marshal(m)
	return atomicfile.Hash(data)
}

// complete says whether the stage is done: its manifest is there and every file
// has the bytes it lists. What is not is a *atomicfile.DamagedError.
func (s *store) complete(id string) (bool, error) {
	s.mu.Lock()
	known := s.verified[id]
	s.mu.Unlock()
	if known {
		return true, nil
	}
	m, err := s.manifest(id)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, want := range m.Files {
		if err := verifyFile(filepath.Join(s.folder(id), filepath.FromSlash(want.Name)), want); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	s.verified[id] = true
	s.mu.Unlock()
	return true, nil
}

// manifest reads and checks the stage file.
func (s *store) manifest(id string) (*manifest, error) {
	path := filepath.Join(s.folder(id), stageFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, atomicfile.Damaged(path, err.Error())
	}
	compact, err := json.Marshal(m.Inputs)
	switch {
	case m.Check != m.sum() || err != nil:
		return nil, atomicfile.Damaged(path, "its checksum does not match")
	case m.Format != stageFormat:
		return nil, atomicfile.Damaged(path, fmt.Sprintf("format %q is not %q of this version", m.Format, stageFormat))
	case m.ID != id || identify(m.Kind, compact) != id:
		return nil, atomicfile.Damaged(path, "it belongs to stage "+m.ID)
	}
	return &m, nil
}

func verifyFile(path string, want atomicfile.Sum) error {
	got, err := sumFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return atomicfile.Damaged(path, "it is missing")
	case err != nil:
		return err
	case got.Bytes != want.Bytes:
		return atomicfile.Damaged(path, fmt.Sprintf("it has %d bytes, not %d", got.Bytes, want.Bytes))
	case got.SHA256 != want.SHA256:
		return atomicfile.Damaged(path, "its checksum does not match")
	}
	return nil
}

func sumFile(path string) (atomicfile.Sum, error) {
	f, err := os.Open(path)
	if err != nil {
		return atomicfile.Sum{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return atomicfile.Sum{Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// begin readies the folder of a stage: empty except for a checkpoint and timings.
func (s *store) begin(id string) error {
	folder := s.folder(id)
	if err := s.disk.mkdir(folder); err != nil {
		return err
	}
	if err := atomicfile.Clean(folder); err != nil {
		return err
	}
	return s.disk.clear(folder, checkpointDir, timingsFile)
}

// commit completes a stage with what lies in its folder. It is the last write.
func (s *store) commit(stage *Stage) error {
	folder := s.folder(stage.ID)
	m := manifest{Format: stageFormat, Kind: stage.Kind, ID: stage.ID, Inputs: stage.inputs}
	var err error
	if m.Files, err = sumFolder(folder); err != nil {
		return err
	}
	m.Check = m.sum()
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := s.disk.write(filepath.Join(folder, stageFile), append(data, '\n')); err != nil {
		return err
	}
	s.mu.Lock()
	s.verified[stage.ID] = true
	s.mu.Unlock()
	return nil
}

// sumFolder lists the files of a stage in the order of their names, without
// those that depend on the clock: timings, and the checkpoint that a diverged
// training leaves.
func sumFolder(folder string) ([]atomicfile.Sum, error) {
	var sums []atomicfile.Sum
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path == filepath.Join(folder, checkpointDir) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || path == filepath.Join(folder, timingsFile) {
			return err
		}
		sum, err := sumFile(path)
		name, _ := filepath.Rel(folder, path)
		sum.Name = filepath.ToSlash(name)
		sums = append(sums, sum)
		return err
	})
	slices.SortFunc(sums, func(a, b atomicfile.Sum) int { return strings.Compare(a.Name, b.Name) })
	return sums, err
}

// setAside moves a damaged stage out of the way, so that its work is done again
// and the evidence kept. It returns where it went.
func (s *store) setAside(id string) (string, error) {
	aside := filepath.Join(s.root, asideFolder)
	if err := s.disk.mkdir(aside); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		to := filepath.Join(aside, fmt.Sprintf("%s-%d", id, n))
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return to, s.disk.rename(s.folder(id), to)
		}
	}
}

// A Failure says why a stage failed when it was last tried.
type Failure struct {
	Stage  string `json:"stage"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

func (s *store) failurePath(id string) string {
	return filepath.Join(s.root, failureFolder, id+".json")
}

func (s *store) noteFailure(f Failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := s.disk.mkdir(filepath.Join(s.root, failureFolder)); err != nil {
		return err
	}
	return s.disk.write(s.failurePath(f.Stage), append(data, '\n'))
}

// failed returns why a stage failed last time; ok is false when it did not.
func (s *store) failed(id string) (f Failure, ok bool) {
	data, err := os.ReadFile(s.failurePath(id))
	if err != nil {
		return f, false
	}
	return f, json.Unmarshal(data, &f) == nil
}

func (s *store) forgetFailure(id string) error {
	if _, ok := s.failed(id); !ok {
		return nil
	}
	return s.disk.removeAll(s.failurePath(id))
}
