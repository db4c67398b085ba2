package model

import (
	"time"

	"kibitz/app/trace"
)

// Flip is a change of a switch, as charts mark it.
type Flip struct {
	ID      int64
	Env     string
	Key     string
	Project string // slug of the project whose switch it is; "" all
	At      time.Time
	Action  string // what was done: on, off, 25 %, kill, unkill, edit
	By      string
	Kind    string // person, guard, schedule, ramp, cli, token, import
	Why     string
}

// GuardWindow is the stretch of time in which a subject counts once for a guard, as exposed and as failed. A visitor whose page
// fails reloads it within seconds, and one page makes a dozen requests: shorter windows would count him several times, which the
// test takes for evidence. Longer ones would put off a kill: it comes a window after the failures that it needs at the earliest.
const GuardWindow = 5 * time.Second

// EventSeen is what the sums of switches need to know of an error event.
type EventSeen struct {
	Project  int64
	At       time.Time // of receipt
	Trace    trace.ID
	Env      string
	UserHash int64 // 0: nobody known
	Fault    bool  // its level is error or worse
	Switches []trace.Switch
}
