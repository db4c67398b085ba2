package apptest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// switchesOfTests are what the SDKs are asked for.
const switchesOfTests = `kibitz: 1
environments:
  - environment: production
    switches:
      - {key: everyone, state: "on"}
      - {key: nobody, state: "off"}
      - {key: half, state: partial, everyone: {percent: 50}}
      - {key: half-unleash, state: partial, hash: unleash, bucket_by: user, everyone: {percent: 50}}
      - key: for-pro
        state: partial
        sets: [{when: [[{attribute: plan, op: is, values: [pro]}]], rollout: {percent: 100}}]
      - key: for-large
        state: partial
        sets: [{when: [[{attribute: team.size, op: ">=", values: ["5"]}]], rollout: {percent: 100}}]
      - key: not-free
        state: partial
        sets: [{when: [[{attribute: plan, op: is, values: [free]}]], rollout: {percent: 0}}]
        everyone: {percent: 100}
      - {key: button, state: "on", variants: [{name: blue}, {name: grey}], off_variant: grey, on_variant: blue}
      - {key: layout, state: "on", variants: [{name: wide, value: {columns: [1, 2]}}, {name: narrow, value: {columns: [1]}}], off_variant: narrow, on_variant: wide}
      - key: split-unleash
        state: "on"
        hash: unleash
        bucket_by: user
        variants: [{name: a}, {name: b}, {name: none}]
        off_variant: none
        on_variant: a
        everyone: {percent: 100, split: [{variant: a, weight: 1}, {variant: b, weight: 3}]}
      - {key: shop, state: "on"}
      - {key: "shop:cart", state: "on"}
      - {key: "shop:cart:new", state: inherit}
      - {key: needs-pro, state: "on", requires: [{key: for-pro}]}
`

// switchClient is one official client and the program that uses it.
type switchClient struct {
	name     string
	programs []string
	run      func(t *testing.T) *exec.Cmd
}

func switchClients() []switchClient {
	node := func(dir, file string) func(*testing.T) *exec.Cmd {
		return func(*testing.T) *exec.Cmd { return in(dir, exec.Command("node", file)) }
	}
	return []switchClient{
		{"openfeature node", []string{"node"}, node("sdk/switches_node", "ofrep.mjs")},
		{"unleash node and page", []string{"node"}, node("sdk/switches_node", "unleash.mjs")},
		{"openfeature and unleash python", []string{"python3"}, func(t *testing.T) *exec.Cmd {
			return exec.Command(filepath.Join(cache(t), "switches", "bin", "python"), filepath.Join("sdk", "switches_python", "main.py"))
		}},
		{"openfeature, unleash and ours in a browser", []string{"node"}, node("sdk/switches_browser", "main.mjs")},
	}
}

// TestSwitchClients holds that the official clients of OpenFeature and Unleash, unmodified, get our switches' answers, and hear
// of flips.
func TestSwitchClients(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	file := filepath.Join(s.dir, "switches.yaml")
	if err := os.WriteFile(file, []byte(switchesOfTests), 0o644); err != nil {
		t.Fatal(err)
	}
	s.command("switch", "import", file)
	env := []string{"BASE=" + s.base, "TOKEN=" + after(s.command("token", "add", "--scopes", "switch:read"), "token:"),
		"PAGE=" + after(s.command("token", "add", "--scopes", "switch:evaluate"), "token:"), "CACHE=" + s.dir}
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range switchClients() {
		t.Run(c.name, func(t *testing.T) {
			needPrograms(t, c.programs...)
			cmd := c.run(t)
			cmd.Env = append(append(s.env(), env...), "KIBITZ="+name)
			if strings.Contains(c.name, "browser") {
				cmd.Env = append(cmd.Env, "CHROMIUM="+chromium(t))
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if got := s.status("/ofrep/v1/configuration"); got != http.StatusNotFound {
		t.Errorf("the address of earlier drafts answers %d", got)
	}
	s.stop()
}
