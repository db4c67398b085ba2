package cli

import "context"

// switchExport prints the switches of an environment as JSON.
func switchExport(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("export", &req)
	if _, err := words(f, c.args[1:], 0, 0); err != nil {
		return c.wrong("%v: kibitz switch export [--env E]", err)
	}
	var got any
	if err := c.askSwitches(ctx, "config", req, &got); err != nil {
		return err
	}
	return printJSON(c.out, got)
}

// switchImport comes with the formats of files.
func switchImport(_ context.Context, c *call) error {
	return c.wrong("`kibitz switch import` is not there yet")
}
