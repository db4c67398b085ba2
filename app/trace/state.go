package trace

// states are the outcomes that Sentry's protocol names for statuses of HTTP
// (https://develop.sentry.dev/sdk/event-payloads/span/).
var states = map[int]string{400: "invalid_argument", 401: "unauthenticated", 403: "permission_denied", 404: "not_found",
	409: "already_exists", 429: "resource_exhausted", 499: "cancelled", 500: "internal_error", 501: "unimplemented", 503: "unavailable",
	504: "deadline_exceeded"}

// StateOf is the outcome that a status of HTTP stands for; "" for none.
func StateOf(status int) string {
	if state := states[status]; state != "" {
		return state
	}
	switch {
	case status >= 500:
		return "internal_error"
	case status >= 400:
		return "invalid_argument"
	case status > 0:
		return "ok"
	}
	return ""
}

// fails are the outcomes that are a failure of the program, not a refusal of what it was asked.
var fails = map[string]bool{"internal_error": true, "unavailable": true, "deadline_exceeded": true, "unimplemented": true,
	"data_loss": true, "aborted": true, "unknown_error": true, "error": true}

// Fails tells whether an outcome is a failure: where the status is known, from 500 on, and otherwise by its name. A request for
// something that is not there is none.
func Fails(state string, status int) bool {
	if status >= 400 {
		return status >= 500
	}
	return fails[state]
}
