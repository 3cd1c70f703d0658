package compress

import (
	"reflect"
	"testing"

	"plumb/arch"
)

// What a walk sees of a text layer by layer is what the whole model gives its
// matrices, to the bit, in models that share blocks too.
func TestLookingLayerByLayer(t *testing.T) {
	for name, change := range map[string]func(*arch.Config){
		"own blocks": func(c *arch.Config) { c.Layers = 3 },
		"shared":     func(c *arch.Config) { c.Layers, c.Sharing, c.Repeat = 4, "immediate", 2 },
		"positions":  func(c *arch.Config) { c.Position = "learned" },
	} {
		t.Run(name, func(t *testing.T) {
			m, cal := shaped(t, change), someText()
			w := &walk{model: m, cal: cal}
			for _, s := range m.Slots() {
				slots, needs := []string{s.Name}, Moments|Gram|Rows
				want, err := cal.gather(m, needs, func(slot string) bool { return slot == s.Name })
				if err != nil {
					continue // the token table is given no inputs
				}
				got, err := w.look(slots, needs)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: layer by layer %v differs from the whole model's %v, %v", s.Name, got, want, err)
				}
			}
		})
	}
}
