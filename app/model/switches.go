package model

import "time"

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
