package grouping

import (
	"slices"
	"strings"
)

// splitTypes is the event with the types of exceptions that clients wrote in front of their values: "TypeError: x is
// not a function" without a type. The event itself is left as it is.
func splitTypes(ev *Event) *Event {
	out := ev
	for i := range ev.Exceptions {
		e := &ev.Exceptions[i]
		if e.Type != "" {
			continue
		}
		kind, value, ok := strings.Cut(e.Value, ":")
		if !ok || !isTypeName(kind) || strings.IndexByte(value, '\n') >= 0 {
			continue
		}
		if out == ev {
			copied := *ev
			out, out.Exceptions = &copied, slices.Clone(ev.Exceptions)
		}
		out.Exceptions[i].Type, out.Exceptions[i].Value = kind, strings.TrimLeft(value, " \t")
	}
	return out
}

func isTypeName(s string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&isWord == 0 {
			return false
		}
	}
	return s != ""
}

// reactRetry begins what React reports when it has rendered a page again after an error; the error itself is the cause.
const reactRetry = "There was an error during concurrent rendering but React was able to recover by instead synchronously rendering the entire root."

// mainIndex is the exception that gives the title: the outermost, unless it only wraps another.
func mainIndex(list []Exception) int {
	last := len(list) - 1
	if last == 1 && list[1].Type == "Error" && strings.HasPrefix(list[1].Value, reactRetry) && list[0].Mechanism.Source == "cause" {
		return 0
	}
	for last > 0 && isRxWrapper(&list[last]) {
		last--
	}
	return last
}

// isRxWrapper tells the exceptions in which RxJava hands on what nobody has handled.
func isRxWrapper(e *Exception) bool {
	if !strings.HasPrefix(e.Module, "io.reactivex.") || !strings.HasSuffix(e.Module, ".exceptions") {
		return false
	}
	return e.Type == "OnErrorNotImplementedException" || e.Type == "CompositeException" || e.Type == "UndeliverableException"
}
