package hub

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// besides are the small files that go with weights: how to read text, and what
// the model is.
var besides = []string{
	"added_tokens.json", "config.json", "generation_config.json", "merges.txt", "special_tokens_map.json",
	"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt",
}

var shard = regexp.MustCompile(`^model-([0-9]{5})-of-([0-9]{5})\.safetensors$`)

// ModelFiles chooses what of s a model needs: its config, its tokenizer, and its
// weights as safetensors, in one file or in parts. A repository that has weights
// in other forms only is refused with what to do.
func (s *Snapshot) ModelFiles() ([]string, error) {
	weights, err := s.weights()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Files, "config.json") {
		return nil, fmt.Errorf("%s has weights but no config.json, so that their shape is unknown; name single files with --file", s.Repo)
	}
	chosen := slices.Clone(weights)
	for _, name := range besides {
		if slices.Contains(s.Files, name) {
			chosen = append(chosen, name)
		}
	}
	slices.Sort(chosen)
	return chosen, nil
}

// weights lists the safetensors files at the top of s that make up the model.
func (s *Snapshot) weights() ([]string, error) {
	const whole, index = "model.safetensors", "model.safetensors.index.json"
	if slices.Contains(s.Files, whole) {
		return []string{whole}, nil
	}
	var parts []string
	of := ""
	for _, name := range s.Files {
		if m := shard.FindStringSubmatch(name); m != nil {
			parts, of = append(parts, name), m[2]
		}
	}
	if len(parts) == 0 {
		return nil, s.noWeights()
	}
	for i, name := range parts {
		want := fmt.Sprintf("model-%05d-of-%s.safetensors", i+1, of)
		if name != want {
			return nil, fmt.Errorf("%s has %s where %s should be: its weights are not complete", s.Repo, name, want)
		}
	}
	if n, _ := strconv.Atoi(of); n != len(parts) {
		return nil, fmt.Errorf("%s has %d of %d parts of its weights", s.Repo, len(parts), n)
	}
	if !slices.Contains(s.Files, index) {
		return nil, fmt.Errorf("%s has weights in %d parts but no %s that says what is where", s.Repo, len(parts), index)
	}
	return append(parts, index), nil
}

// noWeights says what s has in place of safetensors, and what to do.
func (s *Snapshot) noWeights() error {
	if files := s.withSuffix(".safetensors"); len(files) > 0 {
		return fmt.Errorf("%s has no model.safetensors, but %s; choose with --file", s.Repo, some(files))
	}
	if files := s.withSuffix(".gguf"); len(files) > 0 {
		return fmt.Errorf("%s has its weights as GGUF: %s; choose one with --file", s.Repo, some(files))
	}
	if files := s.withSuffix(".bin", ".pt", ".pth", ".ckpt", ".pkl"); len(files) > 0 {
		return fmt.Errorf("%s has only weights in Python's pickle format (%s), which can run code when they are read and so are refused; convert them once in Python where you trust them, with AutoModelForCausalLM.from_pretrained(%q).save_pretrained(\"DIR\", safe_serialization=True) and the same for AutoTokenizer, and give DIR in place of the name",
			s.Repo, some(files), s.Repo.Name)
	}
	return fmt.Errorf("%s has no weights: none of its %d files is .safetensors or .gguf", s.Repo, len(s.Files))
}

// withSuffix lists the files of s that end in one of endings.
func (s *Snapshot) withSuffix(endings ...string) []string {
	var found []string
	for _, name := range s.Files {
		if slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) }) {
			found = append(found, name)
		}
	}
	return found
}

// some writes the first few names of a list.
func some(names []string) string {
	const most = 6
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// Matching lists the files of s that one of patterns fits, which are those of
// path.Match: * stands for anything but a slash. A pattern that fits none is an
// error.
func (s *Snapshot) Matching(patterns ...string) ([]string, error) {
	var found []string
	for _, pattern := range patterns {
		fits := 0
		for _, name := range s.Files {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("%q is no pattern; * stands for any letters, ? for one, [ab] for a choice", pattern)
			}
			if ok {
				fits++
				found = append(found, name)
			}
		}
		if fits == 0 {
			return nil, fmt.Errorf("%s@%s has no file %s (have %s)", s.Repo, s.Revision, pattern, some(s.Files))
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
