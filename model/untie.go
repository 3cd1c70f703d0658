package model

import "slices"

// Untied returns a model with an output matrix of its own, a copy of the token
// table that m uses as one; it computes the same. Where m has one already it is a
// copy of m.
func (m *Model) Untied() (*Model, error) {
	m.mustNotBeFrozen("Untied")
	if !m.cfg.TiedHead {
		return m.Clone(), nil
	}
	cfg := m.cfg
	cfg.TiedHead = false
	forms, given := map[string]Form{}, map[string]Array{}
	for slot, form := range m.forms {
		forms[slot] = form
	}
	for i, a := range m.contents() {
		given[a.Name] = a
		if m.arrays[i].slot == "embedding" {
			a.Name = "head" + a.Name[len("embedding"):]
			a.Data, a.Bytes = slices.Clone(a.Data), slices.Clone(a.Bytes)
			given[a.Name] = a
		}
	}
	if form := m.forms["embedding"]; form != nil {
		forms["head"] = form
	}
	return withArrays(cfg, forms, given)
}
