package world

// A verdict is what someone who knows the world says of a text.
type verdict int

const (
	unknown verdict = iota // the text is not about the topic
	untrue
	holds
)

// Judge reads a document, or the context and continuation of a choice, and says
// whether all that it states holds: in this world, or in the story that it
// tells. About is the topic it was read as, "" if it is about none.
func (w *World) Judge(text string) (truth bool, about string) {
	read := sentences(text)
	if len(read) == 0 {
		return false, ""
	}
	for _, name := range topics.Names() {
		t, err := topics.Get(name)
		if err != nil {
			panic("world: Judge: " + err.Error())
		}
		if v := t.judge(w, read); v != unknown {
			return v == holds, name
		}
	}
	return false, ""
}

// Answer returns the choice that an oracle takes: the only one whose text holds.
// It reads the text of the choices and nothing else of the item. It returns -1
// if no choice or more than one holds.
func (w *World) Answer(item Item) int {
	answer := -1
	for i, choice := range item.Choices {
		if truth, _ := w.Judge(choice.Context + choice.Continuation); truth {
			if answer >= 0 {
				return -1
			}
			answer = i
		}
	}
	return answer
}
