package views

import (
	"strings"

	"kibitz/grouping"
)

// branch is a line of the tree that explains a grouping.
type branch struct {
	name   string
	values []string
	frame  bool // one call: its values stand in the line, its parts are folded
	counts bool
	hit    bool // differs from the other event
	open   bool
	hint   string
	kids   []branch
}

// maxBranches bounds the lines of one tree: a page of 10,000 frames helps nobody, and the text has them all.
const maxBranches = 400

// treeOf is a tree of components as it is read: a line a frame, and frames that do not count for one reason in one
// line. marked are the leaves that differ from another event.
func treeOf(root *grouping.Component, marked map[*grouping.Component]bool) []branch {
	if root == nil {
		return nil
	}
	return []branch{branchOf(root, marked, &room{left: maxBranches})}
}

// room is how many lines a tree may still have, and whether it has been said that there are more.
type room struct {
	left int
	said bool
}

func branchOf(c *grouping.Component, marked map[*grouping.Component]bool, left *room) branch {
	left.left--
	b := branch{name: componentName(c), values: c.Values, counts: c.Contributes, hit: marked[c], hint: c.Hint, frame: c.ID == "frame"}
	for i := 0; i < len(c.Children) && left.left > 0; {
		n := alike(c.Children[i:])
		if n > 1 {
			b.kids = append(b.kids, folded(c.Children[i:i+n], left))
		} else {
			b.kids = append(b.kids, branchOf(c.Children[i], marked, left))
		}
		i += n
	}
	if left.left <= 0 && !left.said {
		left.said = true
		b.kids = append(b.kids, branch{name: "…", hint: "the text has the rest"})
	}
	if b.frame {
		b.values, b.hit = frameWords(c, b.kids)
		b.open = b.hit
	}
	return b
}

// alike is how many components from the first on are frames that do not count for the same reason; at least 1.
func alike(list []*grouping.Component) int {
	n := 1
	for n < len(list) && list[0].ID == "frame" && !list[0].Contributes && list[n].ID == "frame" && !list[n].Contributes && list[n].Hint == list[0].Hint {
		n++
	}
	return n
}

// folded is a run of frames that do not count, in one line.
func folded(list []*grouping.Component, left *room) branch {
	left.left--
	out := branch{name: plural(int64(len(list)), "frame") + modulesOf(list), hint: list[0].Hint, frame: true}
	for _, c := range list[:min(len(list), 50)] {
		words, _ := frameWords(c, nil)
		out.kids = append(out.kids, branch{name: strings.Join(words, ", ")})
	}
	if more := len(list) - len(out.kids); more > 0 {
		out.kids = append(out.kids, branch{name: "… and " + plural(int64(more), "frame") + " more"})
	}
	return out
}

// modulesOf names the first two packages of frames: " of django, celery".
func modulesOf(list []*grouping.Component) string {
	var names []string
	seen := map[string]bool{}
	for _, c := range list {
		words, _ := frameWords(c, nil)
		name, _, _ := strings.Cut(strings.Join(words[:min(1, len(words))], ""), ".")
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if names = append(names, name); len(names) > 2 {
			return " of " + names[0] + ", " + names[1] + " …"
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " of " + strings.Join(names, ", ")
}

// frameWords is a call in a line: what counts of it, or all that is known when nothing does. hit tells whether a part
// differs from the other event.
func frameWords(c *grouping.Component, kids []branch) (words []string, hit bool) {
	for _, k := range kids {
		hit = hit || k.hit
	}
	for _, kid := range c.Children {
		if kid.Contributes || (!c.Contributes && len(words) < 2) {
			words = append(words, kid.Values...)
		}
	}
	return words, hit
}

// whySentence says by what an event is grouped, with numbers.
func whySentence(r grouping.Result) string {
	v := r.Deciding()
	if v == nil {
		return ""
	}
	switch v.Strategy {
	case "fingerprint":
		return "Grouped by a fingerprint: events with the same one are one issue, whatever else they hold."
	case "checksum":
		return "Grouped by the checksum that it was sent with."
	case "fallback":
		return "Nothing in the event says what it is about. All such events of the project are one issue."
	}
	text := "Grouped by " + partsOf(v.Root) + "."
	if no := framesOut(v.Root); no > 0 {
		text += " " + plural(int64(no), "frame") + map[bool]string{true: " does", false: " do"}[no == 1] + " not count."
	}
	return text
}

func partsOf(root *grouping.Component) string {
	if parts := grouping.Parts(root); parts != "" {
		return "its " + parts
	}
	return "nothing"
}

// framesOut is the number of frames that do not count.
func framesOut(c *grouping.Component) int {
	if c == nil {
		return 0
	}
	if c.ID == "frame" {
		return map[bool]int{false: 1}[c.Contributes]
	}
	n := 0
	for _, kid := range c.Children {
		n += framesOut(kid)
	}
	return n
}

// shortHash is enough of a hash to tell it from its neighbours.
func shortHash(hash string) string {
	if len(hash) < 13 {
		return hash
	}
	return hash[:8] + "…" + hash[len(hash)-4:]
}

// otherVariants are all but the one that decides.
func otherVariants(r grouping.Result) (out []*grouping.Variant) {
	for i := range r.Variants {
		if v := &r.Variants[i]; v != r.Deciding() {
			out = append(out, v)
		}
	}
	return out
}

// variantHint says why a variant does not decide.
func variantHint(v *grouping.Variant) string {
	switch {
	case v.Contributes:
		return "counts too: " + shortHash(v.Hash)
	case v.Hint != "":
		return v.Hint
	}
	return "does not count"
}

func yesNo(counts bool) string {
	if counts {
		return "yes"
	}
	return "no"
}

// branchWord says to those who see no marks what the marks say.
func branchWord(b branch) string {
	word := "does not count:"
	if b.counts {
		word = "counts:"
	}
	if b.hit {
		word = "differs, " + word
	}
	return word
}

// variantName is the name of a variant as people write it.
func variantName(name string) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(name)
}

// explainedBy is the configuration that the tree shows: the project's, which may be newer than the issue's.
func explainedBy(p IssueProps) string {
	if p.Grouping.Config != "" {
		return string(p.Grouping.Config)
	}
	return p.Issue.Config
}
