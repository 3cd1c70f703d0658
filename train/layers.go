package train

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A layerPair names a layer of the student and the layer of the teacher that it
// is compared with, both from 0.
type layerPair struct{ student, teacher int }

// LayerMaps hold the ways to choose which layers are compared, given how many
// student and teacher have.
var LayerMaps = registry.New[func(student, teacher int) []layerPair]("map of layers")

func init() {
	LayerMaps.Add("last", func(student, teacher int) []layerPair { return []layerPair{{student - 1, teacher - 1}} })
	LayerMaps.Add("uniform", uniform)
}

// uniform compares every layer of the student with the teacher's at the same
// share of the depth; each with its own where both are as deep (KnGPT-2).
func uniform(student, teacher int) []layerPair {
	pairs := make([]layerPair, student)
	for i := range pairs {
		pairs[i] = layerPair{i, max(0, (i+1)*teacher/student-1)}
	}
	return pairs
}

// layerMap returns the pairs that a name in LayerMaps or a list such as
// "0-1,1-3" stands for.
func layerMap(text string, student, teacher int) ([]layerPair, error) {
	if choose, err := LayerMaps.Get(text); err == nil {
		return choose(student, teacher), nil
	}
	pairs, err := parsePairs(text)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if p.student >= student || p.teacher >= teacher {
			return nil, fmt.Errorf("layers=%s: layer %d of %d of the student with layer %d of %d of the teacher; the first is 0", text, p.student, student, p.teacher, teacher)
		}
	}
	return pairs, nil
}

// parsePairs reads "0-1,1-3": student's layer, teacher's layer.
func parsePairs(text string) ([]layerPair, error) {
	var pairs []layerPair
	for part := range strings.SplitSeq(text, ",") {
		left, right, found := strings.Cut(part, "-")
		student, badStudent := strconv.ParseUint(left, 10, 16)
		teacher, badTeacher := strconv.ParseUint(right, 10, 16)
		if !found || badStudent != nil || badTeacher != nil {
			return nil, fmt.Errorf("layers=%s: wanted is %s, or pairs of student's and teacher's layers such as 0-1,1-3", text, strings.Join(LayerMaps.Names(), ", "))
		}
		pair := layerPair{int(student), int(teacher)}
		if slices.ContainsFunc(pairs, func(p layerPair) bool { return p.student == pair.student }) {
			return nil, fmt.Errorf("layers=%s: layer %d of the student stands twice", text, pair.student)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}
