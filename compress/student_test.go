package compress

import (
	"context"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/model"
)

func TestEvenLayers(t *testing.T) {
	tests := []struct {
		all, keep int
		want      []int
	}{
		{12, 6, []int{0, 2, 4, 7, 9, 11}}, // DistilBERT's
		{12, 12, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{12, 3, []int{0, 6, 11}},
		{5, 2, []int{0, 4}},
		{7, 1, []int{0}},
	}
	for _, test := range tests {
		if got := evenLayers(test.all, test.keep); !slices.Equal(got, test.want) {
			t.Errorf("%d of %d layers: %v, want %v", test.keep, test.all, got, test.want)
		}
	}
}

// deep is a model of six layers; with sharing its three blocks run twice.
func deep(t *testing.T, sharing string) *model.Model {
	t.Helper()
	cfg := small(t).Config()
	cfg.Layers, cfg.Sharing = 6, sharing
	if sharing != "none" {
		cfg.Repeat = 2
	}
	m, err := model.New(cfg, model.Init{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStudentsHaveTheLayersOfTheirTeachers(t *testing.T) {
	tests := []struct {
		text, sharing string
		layers        []int
	}{
		{"skip-layers", "none", []int{0, 3, 5}},
		{"skip-layers keep=1", "none", []int{0, 1, 2, 3, 4, 5}},
		{"skip-layers layers=1,2", "none", []int{1, 2}},
		{"skip-layers layers=0,4", "cyclic", []int{0, 1}}, // layer 4 runs block 1
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			m := deep(t, test.sharing)
			student, err := applied(t, test.text, m)
			if err != nil {
				t.Fatal(err)
			}
			if got := student.Config().Layers; got != len(test.layers) {
				t.Fatalf("%d layers", got)
			}
			whole := map[string]model.Array{}
			for _, a := range m.Arrays() {
				whole[a.Name] = a
			}
			for _, a := range student.Arrays() {
				from := a.Name
				if rest, ok := strings.CutPrefix(a.Name, "blocks."); ok {
					number, name, _ := strings.Cut(rest, ".")
					from = "blocks." + string(rune('0'+test.layers[number[0]-'0'])) + "." + name
				}
				if !slices.Equal(a.Data, whole[from].Data) {
					t.Errorf("%s is not %s of the teacher", a.Name, from)
				}
			}
		})
	}
}

func applied(t *testing.T, text string, m *model.Model) (*model.Model, error) {
	t.Helper()
	s, err := ParseStage(text)
	if err != nil {
		return nil, err
	}
	w, err := s.Worker()
	if err != nil {
		return nil, err
	}
	smaller, _, err := w.Apply(context.Background(), m, nil, Options{})
	return smaller, err
}

func TestStudentsAreRefused(t *testing.T) {
	low, err := applied(t, "svd keep=0.5", deep(t, "none"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := deep(t, "none").Config()
	cfg.Window, cfg.WindowEvery = 4, 2
	windowed := mustNew(t, cfg)
	tests := []struct {
		text string
		m    *model.Model
		want string
	}{
		{"skip-layers keep=0", nil, "a share above 0"},
		{"skip-layers layers=2,1", nil, "in order"},
		{"skip-layers layers=0,6", nil, "the model has 6 layers"},
		{"skip-layers", low, "is in form lowrank"},
		{"skip-layers", windowed, "know their numbers"},
	}
	for _, test := range tests {
		m := test.m
		if m == nil {
			m = deep(t, "none")
		}
		if _, err := applied(t, test.text, m); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want something about %q", test.text, err, test.want)
		}
	}
}

func mustNew(t *testing.T, cfg arch.Config) *model.Model {
	t.Helper()
	m, err := model.New(cfg, model.Init{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
