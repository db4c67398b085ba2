package grouping

import "sync"

// baseRules are the rules that hold for every project.
var baseRules = sync.OnceValue(func() *ruleSet {
	list, err := parseStackRules(baseText)
	if err != nil {
		panic(err) // a mistake in the table below, found by any test
	}
	return newRuleSet(list)
})

// baseText tells libraries from programs, and names the frames that a runtime puts around every call. The order
// matters: of two rules that concern a frame the later one decides.
const baseText = baseLibraries + baseScripts + baseJVM + baseNative + baseApple + baseWindows + baseEngines + baseDart
