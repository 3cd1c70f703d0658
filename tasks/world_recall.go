package tasks

func init() {
	addWorld("recall", "a stated fact about a person, in words the text does not use", false)
}
