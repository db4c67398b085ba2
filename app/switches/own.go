package switches

import "context"

// Kibitz's own features. Each is on where its switch does not exist, so that Kibitz works without a single switch; Own lists them
// to be created at the start, so that they can be turned off, for a share or for everyone, without a restart.
const (
	OwnLive       = "kibitz.live"       // pages that hear of news
	OwnExplain    = "kibitz.explain"    // plans of statements on demand
	OwnRehearsals = "kibitz.rehearsals" // rules of grouping tried on stored events
	OwnRecorder   = "kibitz.recorder"   // Kibitz's own requests
	OwnSpans      = "kibitz.spans"      // spans of requests
	OwnForward    = "kibitz.forward"    // requests sent on to another receiver
	OwnReports    = "kibitz.reports"    // reports by mail
	OwnReplicas   = "kibitz.replicas"   // reads from replicas
)

// Own are the switches of Kibitz's own features, as they are created: on. Those of a page or an action are asked for the person who
// wants it (user is the account's number); those of the process for its node (user and host are its name).
func Own() []Switch {
	own := func(key, description string) Switch {
		return Switch{Key: key, Description: description, Owner: "kibitz", Project: "kibitz", Tags: []string{"kibitz"}, Default: string(On), State: On, Salt: key}
	}
	return []Switch{
		own(OwnLive, "Pages that wait for news are told at once, by server-sent events. Off: they ask for a reload. Turn it off when connections run out."),
		own(OwnExplain, "Plans of statements on demand (EXPLAIN), which run on the database that is looked at. Off: the page says so. Turn it off when that database is at its limit."),
		own(OwnRehearsals, "New rules of grouping can be tried on stored events, which reads millions of them. Off: rules can still be changed. Asked when one is started; those that run go on."),
		own(OwnRecorder, "Kibitz records its own requests in its own project. Off: they are counted as filtered. Asked for each process."),
		own(OwnSpans, "Spans are kept of requests that failed, were slow, or were chosen. Off: every request is still a row and counts in all sums. Asked for each process."),
		own(OwnForward, "Stored requests are sent on to the receiver of otlp.forward. Off: what comes meanwhile is not sent later. Asked for each process."),
		own(OwnReports, "Reports are sent by mail. Off: a report that is due is sent when it is on again. Asked for each process."),
		own(OwnReplicas, "Pages read from replicas where some are configured. Off: they read from the primary. Asked for each process."),
	}
}

// OnOr is On with an answer of the code's own where there is no such switch, which is then not noted as asked for.
func (h *Holder) OnOr(key string, sub *Subject, otherwise bool) bool {
	if !h.Snapshot().Has(key) {
		return otherwise
	}
	return h.On(key, sub)
}

// IsOnOr is IsOn with an answer of the code's own where there is no such switch, or nobody to ask for.
func IsOnOr(ctx context.Context, key string, otherwise bool) bool {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok || m.holder == nil || !m.holder.Snapshot().Has(key) {
		return otherwise
	}
	return IsOn(ctx, key)
}
