package model

// A counted matrix knows how many multiply-adds a product takes for one row;
// others take out·in.
type counted interface{ MACs() int }

func macsOf(l Linear) int {
	if c, ok := l.(counted); ok {
		return c.MACs()
	}
	out, in := l.Shape()
	return out * in
}

// MACs returns the multiply-adds of a forward pass of one token, averaged over
// sequences of context tokens: those of a dense model of the shape (see
// arch.Config.ForwardMACs), with what each matrix takes in its form. Layers that
// share a block count each.
func (m *Model) MACs(context int) int {
	m.mustNotBeFrozen("MACs")
	runs := make([]int, len(m.blocks))
	for _, block := range m.order {
		runs[block]++
	}
	macs := m.cfg.ForwardMACs(context)
	for _, s := range m.Slots() {
		out, in := s.Matrix.Shape()
		saved := out*in - macsOf(s.Matrix)
		switch {
		case s.Block >= 0:
			macs -= runs[s.Block] * saved
		case s.Name == "head" || m.cfg.TiedHead:
			macs -= saved
		}
	}
	return macs
}
