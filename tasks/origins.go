package tasks

import (
	"fmt"
	"slices"
	"strings"

	"plumb/internal/registry"
)

// An Origin is where the files of a benchmark are on the Hugging Face hub. The
// hub keeps every public data set as Parquet on a branch of its own, below
// CONFIG/SPLIT, whatever its authors put on the main branch.
type Origin struct {
	Dataset string // repository, such as "Rowan/hellaswag"
	Config  string // part of the data set; "default" where it has no parts
	Splits  []OriginSplit
}

// OriginRevision is the branch of a data set that holds it as Parquet.
const OriginRevision = "refs/convert/parquet"

// An OriginSplit is one split of a data set, and the file below a data folder in
// which its rows are looked for as JSON Lines.
type OriginSplit struct {
	Split string // as the hub calls it
	File  string
	Train bool // examples are taken from it; no item is scored
}

// Pattern fits the files of the split on OriginRevision, see path.Match. Their
// order is that of their names.
func (o Origin) Pattern(s OriginSplit) string { return o.Config + "/" + s.Split + "/*.parquet" }

// origins holds the origins by the name of the task without its protocol.
var origins = registry.New[Origin]("task with files on the hub")

// OriginOf returns where the files of the task called name come from, whatever
// its protocol.
func OriginOf(name string) (Origin, error) {
	if t, err := All.Get(name); err == nil && t.Generate != nil {
		return Origin{}, fmt.Errorf("task %s is made by the built-in world: there is nothing to fetch", name)
	}
	base, _, protocol := strings.Cut(name, "@")
	o, err := origins.Get(base)
	if err != nil || !protocol {
		return o, err
	}
	if t, err := All.Get(name); err == nil && !slices.Contains(t.Files, o.Splits[0].File) {
		return Origin{}, fmt.Errorf("task %s reads %s, which the hub does not have in that form; get the original", name, t.Files[0])
	}
	return o, nil
}

// Origins lists the names of tasks whose files can be fetched.
func Origins() []string { return origins.Names() }

func init() {
	scored := func(split, file string) OriginSplit { return OriginSplit{Split: split, File: file} }
	train := func(file string) OriginSplit { return OriginSplit{Split: "train", File: file, Train: true} }
	add := func(name, dataset, config string, splits ...OriginSplit) {
		origins.Add(name, Origin{dataset, config, splits})
	}
	add("hellaswag", "Rowan/hellaswag", "default",
		scored("validation", "hellaswag/validation.jsonl"), train("hellaswag/train.jsonl"))
	add("winogrande", "allenai/winogrande", "winogrande_xl",
		scored("validation", "winogrande/winogrande_xl/validation.jsonl"), train("winogrande/winogrande_xl/train.jsonl"))
	add("piqa", "baber/piqa", "default",
		scored("validation", "piqa/validation.jsonl"), train("piqa/train.jsonl"))
	add("social_iqa", "lighteval/siqa", "default",
		scored("validation", "social_iqa/validation.jsonl"), train("social_iqa/train.jsonl"))
	add("boolq", "aps/super_glue", "boolq",
		scored("validation", "boolq/validation.jsonl"), train("boolq/train.jsonl"))
	add("arc_easy", "allenai/ai2_arc", "ARC-Easy",
		scored("test", "arc_easy/test.jsonl"), train("arc_easy/train.jsonl"))
	add("arc_challenge", "allenai/ai2_arc", "ARC-Challenge",
		scored("test", "arc_challenge/test.jsonl"), train("arc_challenge/train.jsonl"))
	add("openbookqa", "allenai/openbookqa", "main",
		scored("test", "openbookqa/main/test.jsonl"), train("openbookqa/main/train.jsonl"))
	add("lambada_openai", "EleutherAI/lambada_openai", "default", scored("test", "lambada_openai/test.jsonl"))
	add("lambada_standard", "cimec/lambada", "plain_text", scored("test", "lambada_standard/test.jsonl"))
	add("race", "EleutherAI/race", "high", scored("test", "race/high/test.jsonl"))
	add("triviaqa", "mandarjoshi/trivia_qa", "rc.nocontext",
		scored("validation", "triviaqa/validation.jsonl"), train("triviaqa/train.jsonl"))
	add("wikitext", "EleutherAI/wikitext_document_level", "wikitext-2-raw-v1",
		scored("test", "wikitext/wikitext-2-raw-v1/test.jsonl"))
}
