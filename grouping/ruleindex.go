package grouping

import (
	"slices"
	"strings"
)

// ruleSet is compiled stack trace rules, indexed by what a frame must have for a rule to match.
type ruleSet struct {
	rules  []rule
	index  [families]ruleIndex
	always [1 << families][]uint16 // that nothing but its family can rule out beforehand, by the families in a stack
	all    []uint16
}

// ruleIndex finds the rules that may match a frame: by the beginning of its module or function, or by a part of its path
// or package.
type ruleIndex struct {
	module, function [256][]leadRule // by the first byte
	path, pkg        segmentIndex
}

// segmentIndex finds rules by a part of a path. Hardly any part of a path has one, and its first byte mostly says so.
type segmentIndex struct {
	rules map[string][]uint16
	first [256]bool
}

func (x *segmentIndex) add(segment string, n uint16) {
	x.rules[segment] = append(x.rules[segment], n)
	x.first[segment[0]] = true
}

// leadRule is a rule for texts that begin with lead.
type leadRule struct {
	lead string
	rule uint16
}

// candidate is a rule that may match a frame. Its order is that in which rules are applied.
type candidate uint32

func (c candidate) rule() int  { return int(c >> 16) }
func (c candidate) frame() int { return int(c & 0xffff) }

// maxCandidates bounds the memory of one stack, 64 KB; beyond it, every rule is tried on every frame.
const maxCandidates = 1 << 14

// newRuleSet indexes rules.
func newRuleSet(rules []rule) *ruleSet {
	set := &ruleSet{rules: rules}
	for fam := range set.index {
		set.index[fam].path.rules, set.index[fam].pkg.rules = map[string][]uint16{}, map[string][]uint16{}
	}
	for n := range rules {
		rules[n].needs = rules[n].neededCategories()
		set.all = append(set.all, uint16(n))
		key := rules[n].key()
		if key == nil {
			set.addAlways(&rules[n], uint16(n))
			continue
		}
		for fam := range set.index {
			if rules[n].concerns(family(fam)) {
				set.index[fam].add(key, uint16(n))
			}
		}
	}
	return set
}

// addAlways keeps a rule for the stacks that have a family it concerns: half of the base rules without a key are about
// native code alone.
func (set *ruleSet) addAlways(r *rule, n uint16) {
	for kinds := range set.always {
		for fam := range families {
			if kinds>>fam&1 == 1 && r.concerns(fam) {
				set.always[kinds] = append(set.always[kinds], n)
				break
			}
		}
	}
}

// key is the matcher that a rule is indexed by, nil when there is none.
func (r *rule) key() *matcher {
	for i := range r.frame {
		m := &r.frame[i]
		if m.negate || m.at != 0 {
			continue
		}
		switch m.field {
		case fieldModule:
			if m.glob.lead != "" {
				return m
			}
		case fieldFunction:
			if m.glob.lead != "" && m.glob.lead[0] != '<' { // a missing function counts as <unknown>
				return m
			}
		case fieldPath, fieldPackage:
			if m.glob.segment != "" {
				return m
			}
		}
	}
	return nil
}

func (r *rule) concerns(fam family) bool {
	for i := range r.frame {
		if m := &r.frame[i]; m.field == fieldFamily && m.at == 0 && m.families[fam] == m.negate {
			return false
		}
	}
	return true
}

func (x *ruleIndex) add(key *matcher, n uint16) {
	lead := key.glob.lead
	switch key.field {
	case fieldModule:
		x.module[lead[0]] = append(x.module[lead[0]], leadRule{lead, n})
	case fieldFunction:
		x.function[lead[0]] = append(x.function[lead[0]], leadRule{lead, n})
	case fieldPath:
		x.path.add(key.glob.segment, n)
	case fieldPackage:
		x.pkg.add(key.glob.segment, n)
	}
}

// prepare finds the candidates of a stack.
func (set *ruleSet) prepare(s *stack, exc *Exception, found []candidate) ruleRun {
	w := ruleRun{set: set, s: s, exc: exc, from: max(0, len(s.frames)-maxRuleFrames)}
	kinds := 0
	for i := w.from; i < len(s.frames); i++ {
		f := &s.frames[i]
		w.size += f.size()
		kinds |= 1 << f.family
		if len(found) <= maxCandidates {
			found = set.find(f, candidate(i-w.from), found)
		}
	}
	w.always = set.always[kinds]
	if len(found) > maxCandidates {
		found, w.always = nil, set.all
	}
	slices.Sort(found)
	w.found = slices.Compact(found)
	return w
}

func (set *ruleSet) find(f *frame, at candidate, found []candidate) []candidate {
	index := &set.index[f.family]
	if m := f.src.Module; m != "" {
		found = at.addLeads(m, index.module[m[0]], found)
	}
	if fn := f.function; fn != "" {
		found = at.addLeads(fn, index.function[fn[0]], found)
	}
	found = at.addSegments(f.path, &index.path, found)
	return at.addSegments(f.pkg, &index.pkg, found)
}

func (c candidate) add(rules []uint16, found []candidate) []candidate {
	if len(found) > maxCandidates {
		return found
	}
	for _, r := range rules {
		found = append(found, candidate(r)<<16|c)
	}
	return found
}

func (c candidate) addLeads(text string, rules []leadRule, found []candidate) []candidate {
	for i := range rules {
		if strings.HasPrefix(text, rules[i].lead) {
			found = append(found, candidate(rules[i].rule)<<16|c)
		}
	}
	return found
}

func (c candidate) addSegments(path string, index *segmentIndex, found []candidate) []candidate {
	if len(index.rules) == 0 {
		return found
	}
	for path != "" {
		segment, rest, _ := strings.Cut(path, "/")
		if segment != "" && index.first[segment[0]] {
			found = c.add(index.rules[segment], found)
		}
		path = rest
	}
	return found
}
