package tasks

func init() {
	addWorld("scripts", "what somebody does next; knowing the words of the context reaches 50 %", false)
}
