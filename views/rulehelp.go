package views

// ruleHelp is a line of the reference: how a word is written and what it does.
type ruleHelp struct{ form, does string }

var stackMatchers = []ruleHelp{
	{"stack.function:handle_*", "the function of a frame"},
	{"stack.module:shop.**", "its module"},
	{"stack.abs_path:**/vendor/**", "the path of its file; * stops at a slash, ** does not"},
	{"stack.package:**/libc.so*", "the library that holds it"},
	{"family:native,javascript", "the family of the language: native, javascript, other, all"},
	{"app:yes", "whether the frame counts as the program's own so far"},
	{"category:telemetry", "the category that an earlier rule gave"},
	{"error.type:KeyError", "the type of the exception that the stack belongs to"},
	{"error.value:*timeout*", "its message"},
	{"error.mechanism:onerror", "how it was caught"},
	{"!stack.module:shop.*", "turns any of them round"},
	{"[ stack.function:a ] | stack.function:b", "b, called by a"},
	{"stack.function:a | [ stack.function:b ]", "a, that calls b"},
}

var stackActions = []ruleHelp{
	{"+app  -app", "the frame is, or is not, the program's own"},
	{"+group  -group", "the frame counts, or does not count"},
	{"^-group  v-group", "so for all frames above, or below, it"},
	{"category=telemetry", "a name for later rules"},
	{"max-frames=3", "only so many frames nearest the crash count"},
	{"min-frames=2", "with fewer the stack does not count"},
	{"invert-stacktrace=1", "the frames are read the other way round"},
}

var fingerprintMatchers = []ruleHelp{
	{"error.type:ConnectionError", "the type of any exception"},
	{"error.value:*timed out*", "the message of any exception"},
	{"message:*deadlock*", "the message of the event"},
	{"stack.function: stack.module: stack.abs_path:", "one frame; several must hold for one and the same"},
	{"logger:celery.*  level:fatal  transaction:/checkout*", "fields of the event"},
	{"tags.server:web-*", "a tag"},
	{"sdk:sentry.python  release:shop@4.*  family:javascript  app:yes", "the SDK, the release, the language, frames of its own"},
}

var fingerprintForms = []ruleHelp{
	{"error.type:Timeout* -> timeouts", "all such events are one issue"},
	{"error.type:Timeout* -> timeouts, {{ transaction }}", "one issue a transaction"},
	{"message:*quota* -> {{ default }}, {{ tags.tenant }}", "as always, and apart by a tag"},
	{`logger:cron -> cron-{{ tags.job }} title="Cron: {{ tags.job }}"`, "with a title"},
}

const ruleSyntax = `One rule a line; # begins a comment. All matchers of a rule must hold. * stands for any text, ? for one character, ` +
	`[abc] for one of several, {a,b} for either. Quotes hold blanks together.`

const ruleVariables = "{{ default }}, {{ transaction }}, {{ error.type }}, {{ error.value }}, {{ message }}, {{ level }}, {{ logger }}, " +
	"{{ stack.function }}, {{ stack.module }}, {{ stack.abs_path }}, {{ stack.filename }}, {{ stack.package }}, {{ tags.NAME }}"
