package results

import (
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strings"

	"plumb/internal/registry"
)

// Published numbers of papers, kept in the program.
//
//go:embed reference/*.csv
var referenceFiles embed.FS

// A Published is a table of numbers from a paper, in results/reference.
type Published struct {
	Name    string
	Columns []string
	Rows    []map[string]string // column → text, as printed in the paper
}

// PublishedNames lists the tables in results/reference.
func PublishedNames() (names []string) {
	files, _ := fs.Glob(referenceFiles, "reference/*.csv")
	for _, file := range files {
		names = append(names, strings.TrimPrefix(file, "reference/"))
	}
	return names
}

// ReadPublished returns the table called name, such as "mobilellm-table11.csv".
func ReadPublished(name string) (Published, error) {
	if !strings.HasSuffix(name, ".csv") {
		name += ".csv"
	}
	f, err := referenceFiles.Open("reference/" + name)
	if err != nil {
		names := PublishedNames()
		hint := registry.Hint(name, names)
		return Published{}, fmt.Errorf("no published table %q (have %s)%s", name, list(names), hint)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		return Published{}, fmt.Errorf("published table %s: %w", name, err)
	}
	p := Published{Name: name, Columns: lines[0]}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, column := range p.Columns {
			row[column] = line[i]
		}
		p.Rows = append(p.Rows, row)
	}
	return p, nil
}
