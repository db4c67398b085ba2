package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a server in a process of its own, which can be killed.
type child struct {
	cmd *exec.Cmd
	dsn string
	out *os.File
}

// startChild runs `kibitz serve` with settings of its own and waits until it has said where it is.
func startChild(ctx context.Context, log io.Writer, settings ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "serve"), out: r}
	c.cmd.Env = append(os.Environ(), settings...)
	c.cmd.Stdout, c.cmd.Stderr = w, log
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 15 * time.Second
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the server: %w", err)
	}
	w.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if dsn, ok := strings.CutPrefix(lines.Text(), "dsn: "); ok {
			c.dsn = dsn
			go io.Copy(io.Discard, r)
			return c, nil
		}
	}
	return nil, errors.Join(errors.New("the server ended before it was up"), c.cmd.Wait())
}

// kill ends the server as a power cut would, and waits until it is gone.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	c.cmd.Wait() // its error says that it was killed
	return c.out.Close()
}

// stop ends it as a person would.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	defer c.out.Close()
	return c.cmd.Wait()
}
