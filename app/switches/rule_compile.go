package switches

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// opCode is an Op that is compared fast.
type opCode uint8

const (
	opUnknown opCode = iota
	opIs
	opPrefix
	opSuffix
	opContains
	opMatches
	opLess
	opAtMost
	opMore
	opAtLeast
	opIn
	opBefore
	opAfter
	opOlder
	opNewer
	opSame
	opPresent
	opWithin
	opShare
)

// Ops are all comparisons, in the order in which an editor offers them.
func Ops() []Op {
	return []Op{Is, Prefix, Suffix, Contains, Matches, Less, AtMost, More, AtLeast, In, Before, After, Older, Newer, Same, Present, Within, Share}
}

func codeOf(op Op) opCode { return opCode(slices.Index(Ops(), op) + 1) }

// few is up to how many texts are compared one by one; more are looked up.
const few = 8

// maxProgram is how many instructions a regular expression may need, so that 1,000 bytes are matched in milliseconds at most.
const maxProgram = 500

// compileWhen makes a condition ready. salt is what its shares are divided by.
func (k *compiler) compileWhen(w When, field, salt string) when {
	out := make(when, 0, len(w))
	rules := 0
	for i, group := range w {
		at := fmt.Sprintf("%s, group %d", field, i+1)
		if rules += len(group); rules > MaxRules {
			k.fail(field, "%s", over("rules", rules, MaxRules, "put lists of values into one rule, or what is shared into a segment"))
			return nil
		}
		if len(group) == 0 {
			k.fail(at, "it has no rule, and would match everyone by accident: remove it, or say `time present` where everyone is meant")
		}
		compiled := make([]rule, 0, len(group))
		for j, r := range group {
			compiled = append(compiled, k.compileRule(r, fmt.Sprintf("%s, rule %d", at, j+1), salt))
		}
		out = append(out, compiled)
	}
	return out
}

func (k *compiler) compileRule(r Rule, at, salt string) rule {
	c := rule{field: fieldOf(r.Attribute), op: r.Op, code: codeOf(r.Op), name: r.Attribute, not: r.Not, fold: r.FoldCase, source: r}
	switch {
	case r.Attribute == "":
		k.fail(at, "it asks no attribute")
	case len(r.Attribute) > MaxAttrName:
		k.fail(at, "%s", over("bytes in the attribute's name", len(r.Attribute), MaxAttrName, "no subject can have it"))
	case c.code == opUnknown:
		k.fail(at, "%q is no comparison: it is one of %v", cut(string(r.Op)), Ops())
	case len(r.Values) > MaxValues:
		k.fail(at, "%s", over("values", len(r.Values), MaxValues, "put what they have in common into an attribute of your own"))
	case len(r.Values) == 0 && r.Op != Present:
		k.fail(at, "it has no value to compare with")
	case (r.Attribute == "segment") != (r.Op == Within):
		k.fail(at, "attribute segment and comparison within belong together")
	case r.Attribute == "time" && r.Op != Before && r.Op != After && r.Op != Present:
		k.fail(at, "time can be before or after a moment; %q does not fit", r.Op)
	default:
		k.compileValues(&c, r, at, salt)
	}
	return c
}

// compileValues reads the values as the comparison wants them.
func (k *compiler) compileValues(c *rule, r Rule, at, salt string) {
	for _, v := range r.Values {
		if len(v) > MaxText {
			k.fail(at, "%s", over("bytes in a value", len(v), MaxText, "subjects have none as long"))
			return
		}
	}
	switch c.code {
	case opIs, opPrefix, opSuffix, opContains:
		k.compileTexts(c, r.Values, at)
	case opMatches:
		k.compileRegexp(c, r.Values, at)
	case opLess, opAtMost, opMore, opAtLeast:
		k.compileNumbers(c, r.Values, at)
	case opBefore, opAfter:
		k.compileMoments(c, r.Values, at)
	case opIn:
		k.compileNets(c, r.Values, at)
	case opOlder, opNewer, opSame:
		k.compileVersions(c, r.Values, at)
	case opShare:
		k.compileShare(c, r.Values, at, salt)
	case opWithin:
		k.compileWithin(c, r.Values, at)
	}
	k.fold(c)
}

// fold answers what is known now.
func (k *compiler) fold(c *rule) {
	switch c.name {
	case "time":
		now := seconds(k.now)
		c.constant = (c.code == opPresent || c.compares(now)) != c.not
	case "environment":
		c.constant = (k.environment != "" && c.fits(k.environment, 0, Text)) != c.not
	}
}

func (k *compiler) compileTexts(c *rule, values []string, at string) {
	for _, v := range values {
		if v == "" {
			k.fail(at, "it compares with an empty text; say `not present` for what is absent")
			return
		}
		if c.fold {
			v = strings.ToLower(v)
		}
		c.texts = append(c.texts, v)
	}
	if c.field == fieldIP && c.code == opIs && !c.fold {
		k.compileNets(c, values, at)
		c.code, c.texts = opIn, nil
		return
	}
	if c.code == opIs && len(c.texts) > few {
		c.many = make(map[string]struct{}, len(c.texts))
		for _, v := range c.texts {
			c.many[v] = struct{}{}
		}
		c.texts = nil
	}
}

// compileRegexp joins the expressions of several values into one.
func (k *compiler) compileRegexp(c *rule, values []string, at string) {
	for _, v := range values {
		if len(v) > MaxRegexp {
			k.fail(at, "%s", over("bytes in a regular expression", len(v), MaxRegexp, "several values are several expressions"))
			return
		}
		if _, err := syntax.Parse(v, syntax.Perl); err != nil {
			k.fail(at, "%q is no regular expression of RE2: %v", cut(v), err)
			return
		}
	}
	text := "(?:" + strings.Join(values, ")|(?:") + ")"
	if c.fold {
		text = "(?i:" + text + ")"
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		k.fail(at, "the regular expressions cannot be read together: %v", err)
		return
	}
	if program, err := syntax.Compile(tree.Simplify()); err != nil || len(program.Inst) > maxProgram {
		k.fail(at, "the regular expression is too large when it is unfolded: avoid counted repetition such as {1,500}")
		return
	}
	c.re, err = regexp.Compile(text)
	if err != nil {
		k.fail(at, "the regular expression cannot be used: %v", err)
	}
}

func (k *compiler) compileNumbers(c *rule, values []string, at string) {
	for _, v := range values {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(n) {
			k.fail(at, "%q is no number", cut(v))
			return
		}
		c.nums = append(c.nums, n)
	}
}

func (k *compiler) compileMoments(c *rule, values []string, at string) {
	for _, v := range values {
		t, ok := parseMoment(v)
		if !ok {
			k.fail(at, "%q is no moment: write a date as 2006-01-02, or 2006-01-02T15:04:05Z", cut(v))
			return
		}
		if c.name == "time" {
			k.wake(t)
		}
		c.nums = append(c.nums, seconds(t))
	}
}

// compileNets makes networks into ranges that are in order and do not overlap.
func (k *compiler) compileNets(c *rule, values []string, at string) {
	for _, v := range values {
		r, ok := parseRange(strings.TrimSpace(v))
		if !ok {
			k.fail(at, "%q is no address and no network such as 10.0.0.0/8", cut(v))
			return
		}
		c.nets = append(c.nets, r)
	}
	slices.SortFunc(c.nets, func(a, b addressRange) int { return a.from.Compare(b.from) })
	merged := c.nets[:0]
	for _, r := range c.nets {
		if n := len(merged); n > 0 && r.from.Compare(merged[n-1].to) <= 0 {
			if merged[n-1].to.Compare(r.to) < 0 {
				merged[n-1].to = r.to
			}
			continue
		}
		merged = append(merged, r)
	}
	c.nets = merged
}

// parseRange reads an address or a network. IPv4 within IPv6 is IPv4.
func parseRange(text string) (addressRange, bool) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.WithZone("").Unmap()
		return addressRange{ip, ip}, true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return addressRange{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	p = p.Masked()
	return addressRange{p.Addr(), lastOf(p)}, true
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

func (k *compiler) compileVersions(c *rule, values []string, at string) {
	for _, text := range values {
		v, ok := parseVersion(text)
		if !ok {
			k.fail(at, "%q is no version such as 2.1.0 or 2.1.0-rc.1", cut(text))
			return
		}
		c.versions = append(c.versions, v)
	}
}

func (k *compiler) compileShare(c *rule, values []string, at, salt string) {
	p, err := strconv.ParseFloat(values[0], 64)
	if err != nil || len(values) != 1 {
		k.fail(at, "a share has one value, a percentage from 0 to 100")
		return
	}
	c.limit = k.percent(p, at)
	c.seed = xxhash.Sum64String(salt + shareSalt + c.name)
}

func (k *compiler) compileWithin(c *rule, values []string, at string) {
	c.segments = []*segment{}
	if k.alone {
		return
	}
	for _, key := range values {
		g := k.use(key, at)
		if g == nil {
			return
		}
		c.segments = append(c.segments, g)
	}
}

// percent is a percentage in buckets.
func (k *compiler) percent(p float64, at string) int {
	if !(p >= 0 && p <= 100) {
		k.fail(at, "%v is no percentage from 0 to 100", p)
		return 0
	}
	n := math.Round(p * Buckets / 100)
	if math.Abs(n-p*Buckets/100) > 1e-6 {
		k.warn(at, "%v %% is finer than 0.001 %%: %v %% is taken", p, n*100/Buckets)
	}
	return int(n)
}
