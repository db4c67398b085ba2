package cli

import (
	"context"
	"errors"
	"net/netip"

	"kibitz/app/config"
	"kibitz/app/db"
	"kibitz/ingest/receiver/sockets"
)

// startSyslog opens the syslog door when it has addresses. What comes goes the way of everything else: pipeline and spool.
func (s *server) startSyslog(ctx context.Context) error {
	cfg := s.config.Syslog
	if len(cfg.Listen) == 0 {
		return nil
	}
	o, err := syslogOptions(s.config)
	if err != nil {
		return err
	}
	project, err := s.Projects.Find(ctx, cfg.Project)
	if err != nil {
		return plain(err)
	}
	o.Project, o.Log, o.Count = project.ID, s.log, s.outcomes.Count
	o.Requests, o.Logs = s.pipeline.AcceptRequests, s.pipeline.AcceptLogs
	o.Key = func(ctx context.Context, public string) (int64, int64, bool) {
		key, ok := s.Projects.Key(db.With(ctx, db.Ingest), public)
		if !ok {
			return 0, 0, false
		}
		return key.ProjectID, key.ID, key.Active
	}
	o.Postgres = s.startFeed().Take
	if s.syslog, err = sockets.Open(o); err != nil {
		return plain(err)
	}
	return nil
}

// syslogOptions reads the settings of the door. Every wrong address is told at once.
func syslogOptions(c *config.Config) (o sockets.Options, err error) {
	var wrong []error
	for _, text := range c.Syslog.Listen {
		a, err := sockets.ParseAddress(text)
		if err != nil {
			wrong = append(wrong, plain(err))
		}
		o.Listen = append(o.Listen, a)
	}
	for _, text := range c.Syslog.Allow { // config has checked that it is one of the two
		if p, err := netip.ParsePrefix(text); err == nil {
			o.Allow = append(o.Allow, p.Masked())
		} else if a, err := netip.ParseAddr(text); err == nil {
			o.Allow = append(o.Allow, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	o.Limits = sockets.DefaultLimits()
	o.Limits.MessageSize, o.Limits.Buffer, o.Limits.Rate, o.Limits.Connections = c.Syslog.MessageSize, c.Syslog.Buffer, c.Syslog.Rate, c.Syslog.Connections
	o.SocketMode = c.Syslog.SocketMode
	if o.TLS, err = sockets.TLSConfig(c.Syslog.TLSCert, c.Syslog.TLSKey, c.Syslog.TLSClients); err != nil {
		wrong = append(wrong, plain(err))
	}
	return o, errors.Join(wrong...)
}
