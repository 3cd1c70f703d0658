package tasks

import "fmt"

// Walks ask for the composition of steps on one fixed map.
func init() {
	addWorld("walk1", "where one step on a fixed map leads", false)
	for steps := 2; steps <= 4; steps++ {
		addWorld(fmt.Sprintf("walk%d", steps), fmt.Sprintf("where %d steps on a fixed map lead", steps), false)
	}
}
