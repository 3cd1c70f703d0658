package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/results"
	"plumb/tasks"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// A reference is what the reference has of a task.
type reference struct {
	Digest     string             `json:"digest"`
	Fake       map[string]float64 `json:"fake"`
	Perplexity float64            `json:"fake_ppl_with_ll_div_10"`
}

// TestRequestDigests scores the requests of the reference data by a hash of
// their text: requests, digests and metrics are those of the reference.
func TestRequestDigests(t *testing.T) {
	raw, err := os.ReadFile(golden.Shared(t, "reference", "request-digests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]reference
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		if want.Fake == nil && want.Perplexity == 0 {
			continue // texts and prompts have no scores in the reference
		}
		t.Run(name, func(t *testing.T) {
			items, from, err := tasks.Load(tasks.Canonical(name), tasks.Source{Dir: golden.Shared(t, "data")})
			if err != nil {
				t.Fatal(err)
			}
			if from.Digest != want.Digest {
				t.Errorf("digest %s, want %s", from.Digest, want.Digest)
			}
			r := fakeResult(items)
			if want.Perplexity != 0 {
				for i := range r.Items {
					r.Items[i].Choices[0].Sum /= 10
				}
				want.Fake = map[string]float64{"perplexity": want.Perplexity, "n": float64(len(items))}
			}
			checkFake(t, r, want.Fake)
		})
	}
}

// checkFake compares every metric of the reference, and the errors that it has.
func checkFake(t *testing.T, r Result, want map[string]float64) {
	t.Helper()
	for _, name := range []string{"acc", "acc_norm", "acc_bytes", "perplexity"} {
		value, known := want[name]
		if !known {
			continue
		}
		metrics, err := r.Metrics(name)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, metrics[0].Value, value, 1e-12)
		near(t, "n", float64(metrics[0].N), want["n"], 0)
		if se, known := want[name+"_stderr"]; known {
			near(t, name+" error", metrics[0].StdErr, se, 1e-12)
		}
	}
}

// fakeResult scores ll = -40·u/2^64, with u the first 8 bytes, big-endian, of
// the SHA-256 of context, 0x1F, continuation.
func fakeResult(items []tasks.Item) Result {
	var r Result
	for _, item := range items {
		scored := results.Item{ID: item.ID, Cluster: item.Cluster, Gold: item.Gold}
		for _, c := range item.Choices {
			sum := sha256.Sum256([]byte(c.Context + "\x1f" + c.Continuation))
			u := binary.BigEndian.Uint64(sum[:])
			scored.Choices = append(scored.Choices, results.Choice{Sum: -40 * (float64(u) / (1 << 64)), Length: c.Length, Bytes: otherBytes(c), Tokens: 1})
		}
		r.Items = append(r.Items, scored)
	}
	return r
}

func TestPicks(t *testing.T) {
	tests := []struct {
		name         string
		choices      []results.Choice
		acc, accNorm int
	}{
		{"most likely", []results.Choice{{Sum: -3, Length: 1}, {Sum: -2, Length: 1}}, 1, 1},
		{"ties go to the first", []results.Choice{{Sum: -2, Length: 2}, {Sum: -2, Length: 2}, {Sum: -2, Length: 2}}, 0, 0},
		{"per code point", []results.Choice{{Sum: -2, Length: 2}, {Sum: -3, Length: 6}}, 0, 1},
		{"nothing to divide by", []results.Choice{{Sum: -2}, {Sum: -3, Length: 6}}, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := results.BySum(test.choices); got != test.acc {
				t.Errorf("acc picks %d", got)
			}
			if got := results.ByLength(test.choices); got != test.accNorm {
				t.Errorf("acc_norm picks %d", got)
			}
		})
	}
}

// TestNormedByCodePoints: by bytes the accented choice would win, by code
// points the plain one does.
func TestNormedByCodePoints(t *testing.T) {
	line := `{"activity_label":"A","ctx_a":"b","ctx_b":"","endings":["éééé","abcde","x","y"],"label":1}`
	task, err := tasks.All.Get("hellaswag")
	if err != nil {
		t.Fatal(err)
	}
	item, err := task.Parse(tasks.Row{Line: []byte(line)})
	if err != nil {
		t.Fatal(err)
	}
	scored := results.Item{Gold: item.Gold}
	for i, sum := range []float64{-6, -7, -9, -9} { // -1.5 and -1.4 a code point; -0.75 and -1.4 a byte
		scored.Choices = append(scored.Choices, results.Choice{Sum: sum, Length: item.Choices[i].Length})
	}
	if got := results.ByLength(scored.Choices); got != 1 {
		t.Errorf("picks %d; lengths %+v", got, scored.Choices)
	}
}

// scored makes items of two choices, right or wrong as given, with clusters.
func scored(right []float64, clusters []string) Result {
	var r Result
	for i, x := range right {
		gold := 1 - int(x)
		r.Items = append(r.Items, results.Item{ID: fmt.Sprint(i), Cluster: clusters[i], Gold: gold, Choices: []results.Choice{{Sum: -1, Length: 1}, {Sum: -2, Length: 1}}})
	}
	return r
}

func accOf(t *testing.T, r Result) Metric {
	t.Helper()
	m, err := r.Metrics("acc")
	if err != nil {
		t.Fatal(err)
	}
	return m[0]
}

func TestStandardError(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	for range 50 {
		n := 2 + r.IntN(60)
		right, alone := make([]float64, n), make([]string, n)
		for i := range right {
			right[i] = float64(r.IntN(2))
		}
		m := accOf(t, scored(right, alone))
		near(t, "error", m.StdErr, math.Sqrt(m.Value*(1-m.Value)/float64(n-1)), 1e-14)
		if m.Clusters != n || m.N != n || m.Chance != 0.5 {
			t.Errorf("%+v", m)
		}
	}
}

func TestClusteredError(t *testing.T) {
	tests := []struct {
		name         string
		right        []float64
		clusters     string // one letter an item, "." stands alone
		want         float64
		wantClusters int
	}{
		// mean 1/2; deviations of a 1, b -1: 2/1 · 2 / 16
		{"two pairs that agree", []float64{1, 1, 0, 0}, "aabb", math.Sqrt(0.25), 2},
		// mean 2/3; a +1/3+1/3, b +1/3-2/3, alone -2/3 and +1/3: 4/3 · (4+1+4+1)/9 / 36
		{"pairs and singles", []float64{1, 1, 1, 0, 0, 1}, "aabb..", math.Sqrt(4. / 3 * 10 / 9 / 36), 4},
		{"equal clusters fall back to independent items", []float64{1, 0, 0, 1}, "aabb", math.Sqrt(0.25 / 3), 4},
		{"all right", []float64{1, 1, 1, 1}, "aabb", 0, 4},
		{"one cluster", []float64{1, 0, 1}, "aaa", math.Sqrt(2. / 9 / 2), 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clusters := strings.Split(strings.ReplaceAll(test.clusters, ".", " "), "")
			for i := range clusters {
				clusters[i] = strings.TrimSpace(clusters[i])
			}
			m := accOf(t, scored(test.right, clusters))
			near(t, "error", m.StdErr, test.want, 1e-15)
			if m.Clusters != test.wantClusters {
				t.Errorf("%d clusters, want %d", m.Clusters, test.wantClusters)
			}
		})
	}
}

// TestNoScoreClaimsToBeExact: a standard error of zero needs a score of 0 or 1.
func TestNoScoreClaimsToBeExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for range 300 {
		n := 2 + r.IntN(12)
		right, clusters := make([]float64, n), make([]string, n)
		for i := range right {
			right[i], clusters[i] = float64(r.IntN(2)), []string{"", "a", "b", "c"}[r.IntN(4)]
		}
		m := accOf(t, scored(right, clusters))
		if exact := m.Value == 0 || m.Value == 1; (m.StdErr == 0) != exact {
			t.Fatalf("%v %v: %v ± %v", right, clusters, m.Value, m.StdErr)
		}
	}
}

func TestOneItemHasNoError(t *testing.T) {
	if m := accOf(t, scored([]float64{1}, []string{""})); !math.IsNaN(m.StdErr) || m.Value != 1 {
		t.Errorf("%+v", m)
	}
}

func TestUnknownMetrics(t *testing.T) {
	_, err := scored([]float64{1, 0}, []string{"", ""}).Metrics("acc", "acc_nrom", "f2")
	for _, want := range []string{`did you mean "acc_norm"?`, `no metric named "f2"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestStoredScoresAgree: what is recomputed from stored items is what was reported.
func TestStoredScoresAgree(t *testing.T) {
	r := fakeResult(randomItems(9, 26))
	stored := r.Stored("toy", "1")
	if err := stored.Check(); err != nil {
		t.Fatal(err)
	}
	for _, name := range results.Accuracies.Names() {
		m, err := r.Metrics(name)
		if err != nil {
			t.Fatal(err)
		}
		scores, ok := stored.Scores(name)
		sum := 0.0
		for _, s := range scores {
			sum += s
		}
		if !ok || sum/float64(len(scores)) != m[0].Value {
			t.Errorf("%s: %v from the stored items, %v reported", name, sum/float64(len(scores)), m[0].Value)
		}
		if chance, _ := stored.Chance(); chance != m[0].Chance {
			t.Errorf("chance %v and %v", chance, m[0].Chance)
		}
	}
}

// TestMetricsOfTasksExist: each metric that a task names can be computed.
func TestMetricsOfTasksExist(t *testing.T) {
	for _, name := range tasks.All.Names() {
		task, _ := tasks.All.Get(name)
		for _, metric := range task.Metrics {
			if _, err := results.Measures.Get(metric); err != nil {
				t.Errorf("task %s: no metric %q", name, metric)
			}
		}
	}
}
