package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/app/switches/exchange"
)

// switchFiles moves switches between files and the running processes.
type switchFiles struct {
	out io.Writer
	ask func(ctx context.Context, op string, r switchRequest, into any) error
	why string
	dry bool
	// What was done, in steps; failed ones are told and counted, and the rest is done all the same.
	done, failed int
}

func switchExport(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.flags("switch export")
	f.StringVar(&req.Env, "env", "", "environment; all when empty")
	format := f.String("format", string(exchange.YAML), "yaml or json")
	w, err := words(f, c.args[1:], 0, 1)
	if err == nil && *format != string(exchange.YAML) && *format != string(exchange.JSON) {
		err = fmt.Errorf("there is no format %q", *format)
	}
	if err != nil {
		return c.wrong("%v: kibitz switch export [--env E] [--format yaml|json] [FILE]", err)
	}
	files := &switchFiles{ask: c.askSwitches}
	text, err := files.export(ctx, req.Env, exchange.Written(*format))
	if err != nil {
		return err
	}
	if len(w) == 0 || w[0] == "-" {
		_, err = c.out.Write(text)
		return err
	}
	if err := os.WriteFile(w[0], text, 0o644); err != nil {
		return fmt.Errorf("cannot write switches: %w", err)
	}
	return nil
}

// export is the file of one environment, or of all.
func (s *switchFiles) export(ctx context.Context, env string, as exchange.Written) ([]byte, error) {
	envs := []string{env}
	if env == "" {
		if err := s.ask(ctx, "environments", switchRequest{}, &envs); err != nil {
			return nil, err
		}
	}
	var all []switches.Config
	for _, env := range envs {
		var c switches.Config
		if err := s.ask(ctx, "config", switchRequest{Env: env}, &c); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	var out bytes.Buffer
	err := exchange.Write(&out, as, all)
	return out.Bytes(), err
}

func switchImport(ctx context.Context, c *call) error {
	var env, format string
	var prune bool
	s := &switchFiles{out: c.out, ask: c.askSwitches}
	f := c.flags("switch import")
	f.StringVar(&env, "env", "", "environment to import, or to import into where the file knows none")
	f.StringVar(&format, "format", string(exchange.Auto), "kibitz, gargoyle, waffle, unleash, flipt, goff or launchdarkly")
	f.BoolVar(&s.dry, "dry-run", false, "only say what would change")
	f.BoolVar(&prune, "prune", false, "remove what the file does not have")
	f.StringVar(&s.why, "why", "", "reason, for the history")
	w, err := words(f, c.args[1:], 1, 1)
	if err != nil {
		return c.wrong("%v: kibitz switch import FILE [--format auto] [--env E] [--dry-run] [--prune] [--why W]", err)
	}
	data, err := readLimited(w[0])
	if err != nil {
		return err
	}
	if s.why == "" {
		s.why = "import of " + w[0]
	}
	file, err := exchange.Read(data, exchange.Format(format), env)
	if err != nil {
		return err
	}
	return s.importFile(ctx, file, prune)
}

// readLimited reads a file, or what is piped in for -, as far as a file of switches may go and one byte more.
func readLimited(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read switches: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, exchange.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read switches: %w", err)
	}
	return data, nil
}

// importFile makes the running switches what a file says, environment by environment.
func (s *switchFiles) importFile(ctx context.Context, file exchange.File, prune bool) error {
	var envs []string
	if err := s.ask(ctx, "environments", switchRequest{}, &envs); err != nil {
		return err
	}
	for _, wanted := range file.Environments {
		current, err := s.current(ctx, envs, wanted.Environment)
		if err != nil {
			return err
		}
		if err := s.steps(ctx, wanted.Environment, exchange.Plan(current, wanted, prune)); err != nil {
			return err
		}
	}
	s.report(file)
	if s.failed > 0 {
		return fmt.Errorf("%d of %d changes failed; the others are made, and the import can be run again", s.failed, s.failed+s.done)
	}
	return nil
}

// current is an environment as it stands, made where there is none.
func (s *switchFiles) current(ctx context.Context, envs []string, env string) (c switches.Config, err error) {
	for _, known := range envs {
		if known == env {
			return c, s.ask(ctx, "config", switchRequest{Env: env}, &c)
		}
	}
	s.say("%s: create the environment", env)
	if s.dry {
		return c, nil
	}
	return c, s.ask(ctx, "environment", switchRequest{Env: env}, &rollout.Published{})
}

// What is sent at once: so many switches, and about so many bytes of them.
const (
	manySwitches = 200
	manyBytes    = 1 << 20
)

// steps does all, switches that are saved one after another at once.
func (s *switchFiles) steps(ctx context.Context, env string, steps []exchange.Step) error {
	for len(steps) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := saves(steps)
		if n < 2 || s.dry || !s.many(ctx, env, steps[:n]) {
			n = max(n, 1)
			for _, step := range steps[:n] {
				s.step(ctx, env, step)
			}
		}
		steps = steps[n:]
	}
	return nil
}

// saves is how many of the first steps save a switch and can be sent at once.
func saves(steps []exchange.Step) (n int) {
	size := 0
	for _, step := range steps[:min(len(steps), manySwitches)] {
		if step.Switch == nil || (step.Action != exchange.Create && step.Action != exchange.Change) {
			break
		}
		text, err := json.Marshal(step.Switch)
		if size += len(text); err != nil || (n > 0 && size > manyBytes) {
			break
		}
		n++
	}
	return n
}

// many saves switches at once. False: nothing was done, and each is better tried by itself, to see which one is at fault.
func (s *switchFiles) many(ctx context.Context, env string, steps []exchange.Step) bool {
	r := switchRequest{Env: env, Why: s.why}
	for _, step := range steps {
		r.Switches = append(r.Switches, *step.Switch)
	}
	var refused map[string]string
	if err := s.ask(ctx, "save-many", r, &refused); err != nil {
		return false
	}
	for _, step := range steps {
		s.tell(env, step)
		if text, ok := refused[step.Key]; ok {
			s.fail(text)
			continue
		}
		s.done++
	}
	return true
}

func (s *switchFiles) tell(env string, step exchange.Step) {
	s.say("%s: %s %s", env, step.Action, step.What())
	for _, line := range step.Lines {
		s.say("    %s", line)
	}
}

func (s *switchFiles) fail(text string) {
	s.failed++
	s.say("    failed: %s", text)
}

// step does one thing and says so.
func (s *switchFiles) step(ctx context.Context, env string, step exchange.Step) {
	s.tell(env, step)
	if step.Action == exchange.Keep {
		return
	}
	if !s.dry {
		if err := s.do(ctx, env, step); err != nil {
			s.fail(err.Error())
			return
		}
	}
	s.done++
}

// do asks for the change of a step.
func (s *switchFiles) do(ctx context.Context, env string, step exchange.Step) error {
	r, op := switchRequest{Env: env, Key: step.Key, Why: s.why}, ""
	switch {
	case step.Action == exchange.Kill:
		op, r.To = "set", "kill"
	case step.Action == exchange.Remove && step.Segment != nil:
		op = "remove-segment"
	case step.Action == exchange.Remove:
		op = "remove"
	case step.Segment != nil:
		op, r.Segment = "segment", *step.Segment
	default:
		op, r.Switch = "save", *step.Switch
	}
	return s.ask(ctx, op, r, &rollout.Published{})
}

// report says what could not be carried, and how much was changed.
func (s *switchFiles) report(file exchange.File) {
	for _, r := range file.Reports {
		for _, note := range r.Notes {
			s.say("%s: %s: not exact: %s", r.Environment, r.Key, note)
		}
	}
	n, word := 0, "changes made"
	for _, c := range file.Environments {
		n += len(c.Switches)
	}
	if s.dry {
		word = "changes would be made"
	}
	s.say("%d switches read as %s; %d %s; %d not carried exactly", n, file.Format, s.done, word, len(file.Reports))
}

// say prints a line. Names come from a file of others, and must not move the cursor.
func (s *switchFiles) say(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, fmt.Sprintf(format, args...))
	fmt.Fprintln(s.out, text)
}
