//go:build !linux && !darwin

package machine

func processor() string { return "" }

func memory() (total, available int) { return 0, 0 }

func load() float64 { return 0 }
