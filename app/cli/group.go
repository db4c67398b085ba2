package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"kibitz/app/issues"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// grouped is a line of `kibitz group`. It is a contract with scripts.
type grouped struct {
	File     string            `json:"file"`
	Hashes   map[string]string `json:"hashes"`
	Title    string            `json:"title"`
	Culprit  string            `json:"culprit"`
	Strategy string            `json:"strategy"`
}

// group prints how event files are grouped: a JSON line for each, "-" being the standard input.
func group(_ context.Context, c *call) error {
	f := c.flags("group")
	explain := f.Bool("explain", false, "print what counts and what does not, and why")
	if err := f.Parse(c.args); err != nil || f.NArg() == 0 {
		return c.wrong("say `kibitz group [--explain] FILE...`")
	}
	failed := 0
	for _, file := range f.Args() {
		if err := groupFile(c, file, *explain); err != nil {
			fmt.Fprintf(c.err, "kibitz: %s: %v\n", file, err)
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("cannot group %d of %d files", failed, f.NArg())
	}
	return nil
}

func groupFile(c *call, file string, explain bool) error {
	raw, err := readEvent(file)
	if err != nil {
		return err
	}
	ev, err := envelope.ParseEvent(envelope.Clean(raw), envelope.Digest)
	if err != nil {
		return err
	}
	r := grouping.Group(issues.GroupingEvent(ev))
	line := grouped{File: file, Hashes: map[string]string{}, Title: r.Title, Culprit: r.Culprit, Strategy: r.Strategy}
	for _, v := range r.Variants {
		if v.Contributes {
			line.Hashes[v.Name] = v.Hash
		}
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return err
	}
	if explain {
		fmt.Fprintln(c.out, grouping.Explain(r))
	}
	return nil
}

// maxEventFile bounds what is read of one file: far above the 1 MiB of an event that the server takes.
const maxEventFile = 64 << 20

func readEvent(file string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxEventFile+1))
	if err == nil && len(raw) > maxEventFile {
		err = fmt.Errorf("larger than %d MiB", maxEventFile>>20)
	}
	return raw, err
}
