package grouping

// categorySet is a set of categories of frames, a bit each. Two names may share a bit: the set says which rules need
// not be tried, and no more.
type categorySet uint64

func categoryBit(name string) categorySet {
	h := uint32(2166136261) // FNV-1a
	for i := 0; i < len(name); i++ {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return 1 << (h >> 26)
}

// hold tells whether every category of need may be there.
func (s categorySet) hold(need categorySet) bool { return s&need == need }

// neededCategories are the categories without which a rule cannot match. Most rules that look at categories name them in full,
// and most stacks have few: three of four base rules that could not be indexed are passed over by it.
func (r *rule) neededCategories() (set categorySet) {
	for i := range r.frame {
		if m := &r.frame[i]; m.field == fieldCategory && !m.negate && m.glob.shape == shapeExact {
			set |= categoryBit(m.glob.text)
		}
	}
	return set
}
