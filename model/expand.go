package model

import "fmt"

// Expand returns the dense matrix that l stands for, with its bias. It shares no
// memory with l.
func Expand(l Linear) *Dense {
	switch l := l.(type) {
	case *Dense:
		return l.Clone()
	case Formed:
		return l.Expand()
	}
	panic(fmt.Sprintf("model: a matrix of type %T cannot be expanded", l))
}
