package requests

import (
	"context"
	"math"
	"slices"
	"time"

	"kibitz/app/errs"
	"kibitz/app/hostmetrics"
	"kibitz/app/model"
	"kibitz/app/store"
)

// hostTier is one of the widths in which measurements of hosts are kept.
type hostTier struct{ width, kept time.Duration }

var hostTiers = []hostTier{{MeasureEvery, 24 * time.Hour}, {time.Minute, 14 * 24 * time.Hour}, {10 * time.Minute, 365 * 24 * time.Hour}, {6 * time.Hour, 365 * 24 * time.Hour}}

// hostBuckets cuts a period into buckets, and chooses the coarsest tier that fits into them and still reaches back to its beginning.
func hostBuckets(p model.Period, now time.Time) (hostTier, Buckets) {
	var b Buckets
	b.From, b.Step, b.N = p.Buckets(MeasureEvery)
	tier := hostTiers[0]
	for _, t := range hostTiers {
		if b.Step%t.width == 0 || now.Sub(p.From) > tier.kept {
			tier = t
		}
	}
	for least := tier.width; b.Step%tier.width != 0; least = b.Step + 1 {
		b.From, b.Step, b.N = p.Buckets(least)
	}
	return tier, b
}

// HostsView is what was measured of all hosts in a period, and all of one of them.
type HostsView struct {
	Tier    time.Duration
	Buckets Buckets
	Hosts   []HostSummary
	Host    string // "" when there is none
	Series  HostSeries
}

// HostSummary is a host's latest measurement, in per cent but for Load, and its CPU over the period. NaN is not measured.
type HostSummary struct {
	Name                    string
	Seen                    time.Time
	CPU, Memory, Disk, Load float64
	Spark                   []float64
}

// HostSeries are all measurements of a host by bucket: means and peaks. NaN is not measured.
type HostSeries struct {
	Means, Peaks [hostmetrics.Metrics][]float64
}

// Hosts reads the measurements of a period: three statements, whatever there is. The host chosen is the first by name when
// none is named; errs.NotFound when there is none of that name.
func (r *Requests) Hosts(ctx context.Context, p model.Period, chosen string, now time.Time) (v HostsView, err error) {
	tier, b := hostBuckets(p, now)
	v = HostsView{Tier: tier.width, Buckets: b, Host: chosen}
	hosts, err := r.store.Hosts(ctx, b.From)
	if err != nil || len(hosts) == 0 {
		return v, noHost(err, chosen)
	}
	at := 0
	if chosen != "" {
		at = slices.IndexFunc(hosts, func(h store.Host) bool { return h.Name == chosen })
	}
	if at < 0 {
		return v, noHost(nil, chosen)
	}
	v.Host = hosts[at].Name
	rows, err := r.store.HostRows(ctx, store.HostQuery{Hosts: []int32{hosts[at].ID}, From: b.From, To: b.To(), Tier: tier.width})
	if err != nil {
		return v, err
	}
	v.Series = hostSeries(rows, b)
	v.Hosts, err = r.hostSummaries(ctx, hosts, tier, b)
	return v, err
}

func noHost(err error, chosen string) error {
	if err == nil && chosen != "" {
		return errs.New(errs.NotFound, "No host of that name was measured in this period. Choose a longer one, or another host.")
	}
	return err
}

func (r *Requests) hostSummaries(ctx context.Context, hosts []store.Host, tier hostTier, b Buckets) (list []HostSummary, err error) {
	var ids []int32
	for _, h := range hosts {
		ids = append(ids, h.ID)
		list = append(list, summary(h, b.N))
	}
	cpus, err := r.store.HostCPUs(ctx, store.HostQuery{Hosts: ids, From: b.From, To: b.To(), Tier: tier.width}, b.Step)
	if err != nil {
		return nil, err
	}
	for _, c := range cpus {
		host, i := slices.Index(ids, c.Host), int(c.Bucket.Sub(b.From)/b.Step)
		if host >= 0 && i >= 0 && i < b.N {
			list[host].Spark[i] = c.Busy
		}
	}
	return list, nil
}

func summary(h store.Host, n int) HostSummary {
	last := means(h.Last)
	used, all := last[hostmetrics.MemoryUsed], last[hostmetrics.MemoryUsed]+last[hostmetrics.MemoryCached]+last[hostmetrics.MemoryFree]
	return HostSummary{Name: h.Name, Seen: h.Seen, CPU: last[hostmetrics.CPUUser] + last[hostmetrics.CPUSystem] + last[hostmetrics.CPUSteal],
		Memory: used / all * 100, Disk: last[hostmetrics.DiskUsed], Load: last[hostmetrics.Load1], Spark: unknown(n)}
}

func means(r store.HostRow) hostmetrics.Values {
	v := hostmetrics.Unmeasured()
	for i := range min(len(v), len(r.N), len(r.Sums)) {
		if r.N[i] > 0 {
			v[i] = r.Sums[i] / float64(r.N[i])
		}
	}
	return v
}

func hostSeries(rows []store.HostRow, b Buckets) (s HostSeries) {
	for m := range s.Means {
		s.Means[m], s.Peaks[m] = unknown(b.N), unknown(b.N)
	}
	for _, r := range store.MergeHosts(rows, func(t time.Time) time.Time { return b.From.Add(t.Sub(b.From) / b.Step * b.Step) }) {
		i := int(r.Bucket.Sub(b.From) / b.Step)
		if i < 0 || i >= b.N {
			continue
		}
		for m, mean := range means(r) {
			if s.Means[m][i] = mean; !math.IsNaN(mean) {
				s.Peaks[m][i] = float64(r.Maxima[m])
			}
		}
	}
	return s
}

// unknown are n numbers that say that there is no data.
func unknown(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }
