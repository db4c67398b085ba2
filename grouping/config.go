package grouping

// Limits of the algorithm. They are part of the configuration: another value makes other hashes.
const (
	maxContextLine  = 120     // characters; a longer source line is minified code and says nothing
	maxParameterize = 8192    // bytes; a longer text is left as it is
	maxLongName     = 4096    // bytes; a longer name of a function or module is left as it is
	maxSplices      = 8       // {{ default }} in one fingerprint; without a limit a small event asks for gigabytes
	maxFingerprint  = 1 << 20 // bytes of a fingerprint's values, for the same reason: the variables may be long; the rest is cut
	maxTitleValue   = 256     // characters of an exception's value or a message in a title
)

// A family is the kind of runtime that a frame comes from. Rules are indexed by it.
type family uint8

const (
	familyOther family = iota
	familyNative
	familyJavaScript
	families
)

func familyOf(platform string) family {
	switch platform {
	case "objc", "cocoa", "swift", "native", "c":
		return familyNative
	case "javascript", "node":
		return familyJavaScript
	}
	return familyOther
}

// usesContextLine tells whether source lines of a platform are stable enough to tell frames apart. Compiled
// platforms send none, or send what their debug files happen to hold.
func usesContextLine(platform string) bool {
	switch platform {
	case "javascript", "node", "python", "php", "ruby":
		return true
	}
	return false
}

// platformOf is the platform of an event: any that clients of the protocol do not name is "other".
func platformOf(name string) string {
	switch name {
	case "as3", "c", "cfml", "cocoa", "csharp", "elixir", "haskell", "go", "groovy", "java", "javascript", "native", "node", "objc",
		"perl", "php", "python", "ruby":
		return name
	}
	return "other"
}
