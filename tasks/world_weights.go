package tasks

func init() {
	addWorld("weights", "which of two things is the heavier or the lighter one", false)
}
