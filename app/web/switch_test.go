package web

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

// TestFeatures holds that Kibitz's own switches turn off what they say, for whom they say, with an answer that names them.
func TestFeatures(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	address, query, _ := strings.Cut(statementPath(t, w, p), "?")
	explain := func() reply {
		return w.do(t, "POST", address+"/explain?"+query, url.Values{"csrf": {p.csrf}}, cookies(p.cookie), ours())
	}
	explain().wantStatus(t, 200)
	own := switches.Own()
	for i := range own {
		own[i].Overrides = []switches.Override{{Value: strconv.FormatInt(p.account.ID, 10), Variant: "off"}}
	}
	snap, problems := switches.Compile(switches.Config{Switches: own}, time.Now())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.switches.Publish(snap)
	if r := explain().wantStatus(t, 503); !strings.Contains(r.text, switches.OwnExplain) {
		t.Errorf("%.1000s", r.text)
	}
	if r := w.see(t, p, "/projects/default/wait").wantStatus(t, 503); !strings.Contains(r.text, switches.OwnLive) {
		t.Errorf("%.1000s", r.text)
	}
	counts := map[string]int64{}
	w.switches.Drain(func(key, variant string, n int64) { counts[key+"="+variant] += n })
	if counts["kibitz.explain=off"] != 1 || counts["kibitz.live=off"] != 1 {
		t.Errorf("%v", counts)
	}
}
