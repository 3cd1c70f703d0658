package experiments

import (
	"embed"
	"strings"

	"plumb/internal/registry"
)

// Shipped holds the specs that come with the program, as text, by the name of
// their file.
var Shipped = registry.New[[]byte]("spec")

//go:embed specs/*.toml
var specFiles embed.FS

func init() {
	entries, err := specFiles.ReadDir("specs")
	if err != nil {
		panic("experiments: " + err.Error())
	}
	for _, entry := range entries {
		text, err := specFiles.ReadFile("specs/" + entry.Name())
		if err != nil {
			panic("experiments: " + err.Error())
		}
		Shipped.Add(strings.TrimSuffix(entry.Name(), ".toml"), text)
	}
}
