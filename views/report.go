package views

import (
	"fmt"
	"strings"
	"time"

	"kibitz/app/model"
)

// ReportProps is the mailed report: what took the time in a period, and what the databases need.
type ReportProps struct {
	Title      string // "Week 47 of 2026"
	From, To   time.Time
	Base       string // address of the dashboard, without a slash at the end
	Statements []ReportStatement
	Endpoints  []ReportEndpoint
	Findings   []model.Finding // what is wrong, and what to look at
	Checked    time.Time       // the zero time: the databases were not checked
	Unknown    int             // answers that could not be given
}

// ReportStatement is a line of the digest.
type ReportStatement struct {
	Project, SQL     string
	Total, Mean, Max time.Duration
	Calls, Share     float64
	URL              string
}

// ReportEndpoint is a line of the slow endpoints.
type ReportEndpoint struct {
	Project, Name string
	N, Failed     float64 // Failed is a share
	Total, P95    time.Duration
	URL           string
}

// Subject is the mail's.
func (p ReportProps) Subject() string {
	bad, warn := p.counts()
	switch {
	case p.Checked.IsZero() || bad+warn == 0:
		return "Kibitz: " + p.Title
	case bad == 0:
		return fmt.Sprintf("Kibitz: %s, %d to look at", p.Title, warn)
	}
	return fmt.Sprintf("Kibitz: %s, %d wrong and %d to look at", p.Title, bad, warn)
}

func (p ReportProps) counts() (bad, warn int) {
	for _, f := range p.Findings {
		if f.Verdict == model.Bad {
			bad++
		} else {
			warn++
		}
	}
	return bad, warn
}

func reportSpan(p ReportProps) string {
	return p.From.UTC().Format("2 Jan 15:04") + " to " + p.To.UTC().Format("2 Jan 2006 15:04") + " UTC"
}

// healthSentence says the state of the databases.
func (p ReportProps) healthSentence() string {
	bad, warn := p.counts()
	switch {
	case p.Checked.IsZero():
		return "The databases were not checked."
	case bad+warn == 0:
		return fmt.Sprintf("Nothing is wrong with the databases, and %d answers wait for more data.", p.Unknown)
	}
	return fmt.Sprintf("%d wrong, %d to look at, %d wait for more data.", bad, warn, p.Unknown)
}

// ReportText is the report for those who read mail as text.
func ReportText(p ReportProps) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\nQUERIES\n", reportLine(p.Title, 200), reportSpan(p))
	for i, s := range p.Statements {
		fmt.Fprintf(&b, "%2d. %s of the time: %s, %s calls, mean %s ms, longest %s ms  [%s]\n    %s\n", i+1, shareOf(s.Share), timeSum(s.Total), digits(s.Calls), msText(s.Mean), msText(s.Max), reportLine(s.Project, 100), reportLine(s.SQL, 300))
	}
	if len(p.Statements) == 0 {
		b.WriteString("No program reported a query.\n")
	}
	b.WriteString("\nENDPOINTS\n")
	for i, e := range p.Endpoints {
		fmt.Fprintf(&b, "%2d. %s: %s in %s requests, p95 %s ms, %s failed  [%s]\n", i+1, reportLine(e.Name, 200), timeSum(e.Total), digits(e.N), msText(e.P95), shareOf(e.Failed), reportLine(e.Project, 100))
	}
	if len(p.Endpoints) == 0 {
		b.WriteString("No program reported a request.\n")
	}
	fmt.Fprintf(&b, "\nDATABASES\n%s\n", p.healthSentence())
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "- %s, %s (%s): %s\n", reportLine(f.Title, 100), reportLine(f.Node, 200), verdictWord(f.Verdict), reportLine(f.Said, 500))
		for _, item := range f.Items[:min(len(f.Items), 5)] {
			fmt.Fprintf(&b, "    %s: %s\n", reportLine(item.Name, 200), reportLine(item.Said, 300))
			if item.SQL != "" {
				fmt.Fprintf(&b, "    %s\n", reportLine(item.SQL, 500))
			}
		}
	}
	fmt.Fprintf(&b, "\n%s/queries\n", p.Base)
	return b.String()
}

// reportLine is a text without line breaks and control characters, cut: a mail's lines are ours to make.
func reportLine(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return cutText(strings.Join(strings.Fields(s), " "), most)
}
