package web

import (
	"encoding/csv"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/hostmetrics"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/views"
)

// getHosts is the machines that were measured, and one of them in charts: GET /hosts.
func (s *Server) getHosts(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Hosts", "hosts")
	if err != nil {
		return err
	}
	p, v, err := s.hosts(c, chrome.Now)
	if err != nil {
		return err
	}
	props := views.HostsProps{Period: p, Clock: clock(v.Buckets, chrome.Now), Tier: v.Tier, Host: v.Host}
	for _, h := range v.Hosts {
		props.Hosts = append(props.Hosts, views.HostRow{Name: h.Name, Seen: h.Seen, CPU: h.CPU, Memory: h.Memory, Disk: h.Disk, Load: h.Load, Spark: h.Spark})
	}
	if v.Host != "" {
		q := p.Fields()
		q.Set("host", v.Host)
		props.CSV, props.Metrics = "/hosts.csv?"+q.Encode(), hostMetrics(v)
	}
	// Releases of Kibitz itself: it is what runs there.
	if i := slices.IndexFunc(chrome.Projects, func(p model.Project) bool { return p.Slug == issues.SelfProject }); i >= 0 {
		if props.Markers, err = s.markers(c, chrome.Projects[i].ID, p); err != nil {
			return err
		}
	}
	return s.render(c, fiber.StatusOK, views.HostsPage(chrome, props))
}

func (s *Server) hosts(c *fiber.Ctx, now time.Time) (p model.Period, v requests.HostsView, err error) {
	if p, err = periodOf(c, now); err != nil {
		return p, v, err
	}
	v, err = s.requests.Hosts(c.UserContext(), p, strings.Clone(c.Query("host")), now)
	return p, v, err
}

func hostMetrics(v requests.HostsView) (list []views.HostMetric) {
	for i, name := range hostmetrics.Names() {
		m := views.HostMetric{Name: name, Values: v.Series.Means[i]}
		if v.Buckets.Step > v.Tier || v.Tier > requests.MeasureEvery {
			m.Peaks = v.Series.Peaks[i]
		}
		list = append(list, m)
	}
	return list
}

// getHostsCSV is all measurements of a host as CSV: GET /hosts.csv.
func (s *Server) getHostsCSV(c *fiber.Ctx) error {
	_, v, err := s.hosts(c, time.Now())
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, "attachment; filename*=UTF-8''hosts-"+url.PathEscape(v.Host)+".csv")
	out := csv.NewWriter(c.Response().BodyWriter())
	head := []string{"from"}
	for _, name := range hostmetrics.Names() {
		head = append(head, name, name+".max")
	}
	_ = out.Write(head)
	for i := range v.Buckets.N {
		if v.Host != "" {
			_ = out.Write(hostLine(v, i))
		}
	}
	out.Flush()
	return out.Error()
}

func hostLine(v requests.HostsView, i int) []string {
	line := []string{v.Buckets.From.Add(time.Duration(i) * v.Buckets.Step).Format(time.RFC3339)}
	for m := range hostmetrics.Metrics {
		line = append(line, hostNumber(v.Series.Means[m][i]), hostNumber(v.Series.Peaks[m][i]))
	}
	return line
}

func hostNumber(f float64) string {
	if math.IsNaN(f) {
		return ""
	}
	return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64)
}
