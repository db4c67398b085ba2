package grouping

func (g *grouper) applyRules(s *stack, exc *Exception) {}
