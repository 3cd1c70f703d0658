// Command gen writes the assembly of package kernels, with the Go declarations
// and tables that belong to it. "go generate ./kernels" runs it.
package main

import (
	"fmt"
	"os"
)

func main() {
	for name, text := range allFiles() {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// allFiles returns the text of every generated file by name.
func allFiles() map[string][]byte {
	all := map[string][]byte{}
	for _, op := range Ops {
		for name, text := range op.Files() {
			all[name] = text
		}
	}
	return all
}
