package views

import "strings"

// snippet is how a language is connected: what to install and what to write.
type snippet struct{ key, name, install, code string }

// snippets are the languages of the welcome page; DSN stands for the project's address.
var snippets = []snippet{
	{"python", "Python", "pip install sentry-sdk", `import sentry_sdk

sentry_sdk.init(
    dsn="DSN",
    release="my-app@1.0.0",
)

1 / 0  # the first issue`},
	{"javascript", "JavaScript", "npm install @sentry/browser", `import * as Sentry from "@sentry/browser";

Sentry.init({
  dsn: "DSN",
  release: "my-app@1.0.0",
});

setTimeout(() => { throw new Error("hello, board"); });`},
	{"node", "Node.js", "npm install @sentry/node", `const Sentry = require("@sentry/node");

Sentry.init({
  dsn: "DSN",
  release: "my-app@1.0.0",
});

Sentry.captureException(new Error("hello, board"));`},
	{"go", "Go", "go get github.com/getsentry/sentry-go", `err := sentry.Init(sentry.ClientOptions{
	Dsn:     "DSN",
	Release: "my-app@1.0.0",
})
if err != nil {
	log.Fatal(err)
}
defer sentry.Flush(2 * time.Second)

sentry.CaptureException(errors.New("hello, board"))`},
	{"java", "Java", `implementation("io.sentry:sentry:8.+")`, `import io.sentry.Sentry;

Sentry.init(options -> {
  options.setDsn("DSN");
  options.setRelease("my-app@1.0.0");
});

Sentry.captureException(new IllegalStateException("hello, board"));`},
	{"php", "PHP", "composer require sentry/sentry", `\Sentry\init([
    'dsn' => 'DSN',
    'release' => 'my-app@1.0.0',
]);

throw new \RuntimeException('hello, board');`},
	{"ruby", "Ruby", "bundle add sentry-ruby", `require "sentry-ruby"

Sentry.init do |config|
  config.dsn = "DSN"
  config.release = "my-app@1.0.0"
end

Sentry.capture_exception(RuntimeError.new("hello, board"))`},
	{"csharp", ".NET", "dotnet add package Sentry", `using Sentry;

SentrySdk.Init(options =>
{
    options.Dsn = "DSN";
    options.Release = "my-app@1.0.0";
});

SentrySdk.CaptureException(new Exception("hello, board"));`},
	{"rust", "Rust", "cargo add sentry", `let _guard = sentry::init(("DSN", sentry::ClientOptions {
    release: Some("my-app@1.0.0".into()),
    ..Default::default()
}));

sentry::capture_message("hello, board", sentry::Level::Error);`},
}

// snippetFor is the chosen language's; the first when nothing known is chosen.
func snippetFor(platform, dsn string) snippet {
	chosen := snippets[0]
	for _, s := range snippets {
		if s.key == platform {
			chosen = s
		}
	}
	chosen.code = strings.ReplaceAll(chosen.code, "DSN", dsn)
	return chosen
}

// shellTest is the command that sends an event by hand.
func shellTest(p WelcomeProps, project string) string {
	return "curl " + strings.TrimSuffix(p.BaseURL, "/") + "/api/" + project + "/store/ \\\n  -H 'X-Sentry-Auth: Sentry sentry_key=" + p.PublicKey + "' \\\n  -d '{\"message\":\"hello, board\"}'"
}
