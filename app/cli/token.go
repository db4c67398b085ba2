package cli

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kibitz/app/accounts"
)

// token is `kibitz token add|list|revoke`. It works beside a running server.
func token(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return c.wrong("say `kibitz token add --scopes project:read,event:read`, `list` or `revoke ID`")
	}
	switch c.args[0] {
	case "add":
		return tokenAdd(ctx, c)
	case "list":
		return tokenList(ctx, c)
	case "revoke":
		return tokenRevoke(ctx, c)
	}
	return c.wrong("there is no `kibitz token %s`; there are add, list and revoke", c.args[0])
}

func tokenAdd(ctx context.Context, c *call) error {
	f := c.flags("token add")
	scopes := f.String("scopes", "project:read,event:read", "what it may do, with commas between")
	name := f.String("name", "command line", "what it is for")
	expires := f.Duration("expires", 0, "how long it lives, 720h say; for ever when absent")
	env := f.String("env", "", "the environment of switches that it is for; any when absent")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 {
		return c.wrong("say `kibitz token add --scopes project:read,event:read [--env E] [--name N] [--expires 720h]`")
	}
	if *env != "" {
		*scopes += "," + accounts.EnvironmentScope(*env)
	}
	return withStore(ctx, c, func(p *Program) error {
		text, err := p.Accounts.AddSystemToken(ctx, *name, strings.Split(*scopes, ","), *expires)
		if err != nil {
			return plain(err)
		}
		fmt.Fprintln(c.out, "token:", text)
		return nil
	})
}

func tokenList(ctx context.Context, c *call) error {
	return withStore(ctx, c, func(p *Program) error {
		tokens, err := p.Accounts.AllTokens(ctx)
		if err != nil {
			return plain(err)
		}
		for _, t := range tokens {
			used := "never used"
			if !t.LastUsed.IsZero() {
				used = "used " + t.LastUsed.UTC().Format(time.DateTime)
			}
			fmt.Fprintf(c.out, "%d  %s…  %-20s %-40s %s\n", t.ID, t.Prefix, t.Name, strings.Join(t.Scopes, ","), used)
		}
		return nil
	})
}

func tokenRevoke(ctx context.Context, c *call) error {
	word, err := oneWord(c.flags("token revoke"), c.args[1:])
	if err != nil {
		return c.wrong("%v: kibitz token revoke ID", err)
	}
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return c.wrong("%q is not a token's id; `kibitz token list` shows them", word)
	}
	return withStore(ctx, c, func(p *Program) error {
		if err := p.Accounts.RevokeAnyToken(ctx, id); err != nil {
			return plain(err)
		}
		fmt.Fprintln(c.out, "revoked:", id)
		return nil
	})
}

// oneWord parses flags before and after one word, since people write both.
func oneWord(f *flag.FlagSet, args []string) (string, error) {
	if err := f.Parse(args); err != nil {
		return "", err
	}
	if f.NArg() == 0 {
		return "", fmt.Errorf("a word is missing")
	}
	word := f.Arg(0)
	if err := f.Parse(f.Args()[1:]); err != nil {
		return "", err
	}
	if f.NArg() > 0 {
		return "", fmt.Errorf("%q is one word too many", f.Arg(0))
	}
	return word, nil
}
