package machine

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestLook(t *testing.T) {
	m := Look()
	if m.Processor == "" || m.Cores < 1 || m.System != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%+v", m)
	}
	if m.Available > m.Memory && runtime.GOOS == "linux" {
		t.Errorf("%d bytes of %d are available", m.Available, m.Memory)
	}
	if runtime.GOOS == "linux" && m.Memory < 1<<20 {
		t.Errorf("memory of %d bytes", m.Memory)
	}
}

func TestFreeDisk(t *testing.T) {
	if _, err := FreeDisk(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent folder has free disk")
	}
	if free, err := FreeDisk(t.TempDir()); runtime.GOOS == "linux" && (err != nil || free <= 0) {
		t.Errorf("%d bytes free, %v", free, err)
	}
}
