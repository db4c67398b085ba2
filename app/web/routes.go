package web

import "github.com/gofiber/fiber/v2"

// routes is the map of everything that answers. Order matters: what stands above the session gate is open to all.
func (s *Server) routes(o Options) {
	s.switchDoors(o.SwitchDoors, o.Recorder)

	// Open to all: SDKs, health, sign-in.
	s.app.Use(s.requestID, s.recordRequest(o.Recorder), s.recoverPanic)
	if o.Ingest != nil {
		o.Ingest(s.app)
	}
	s.app.Use(s.countQueries, s.logRequest, s.securityHeaders, s.refuseEncodedBody)
	s.app.Get("/-/live", s.getLive)
	s.app.Get("/-/ready", s.getReady)
	s.app.Get("/static/:name", s.getStatic)
	s.app.Get("/favicon.ico", s.getFavicon)
	s.app.Get("/robots.txt", s.getRobots)

	if o.Flags != nil {
		s.app.Post("/api/0/organizations/:org/flags/hooks/provider/:provider/", s.postFlagHook) // signed
	}

	if o.MetricsOpen {
		s.app.Get("/metrics", s.getMetrics)
	} else {
		s.app.Get("/metrics", s.needAPI, s.scope("metrics:read"), s.getMetrics)
	}

	// Unsafe methods must come from our own pages; Bearer requests carry no cookie and are exempt.
	s.app.Use(s.checkOrigin)
	s.app.Get("/signin", s.getSignIn)
	s.app.Post("/signin", s.postSignIn)
	s.app.Get("/setup/:token", s.getSetup)
	s.app.Post("/setup/:token", s.postSetup)
	s.app.Post("/theme", s.postTheme)

	// The API in Sentry's shape: a Bearer token with the scope, or a session.
	api := s.app.Group("/api/0", s.needAPI)
	api.Get("/", s.apiRoot)
	api.Get("/organizations/", s.scope("org:read", "project:read"), s.apiOrganizations)
	api.Get("/organizations/:org/", s.scope("org:read", "project:read"), s.apiOneOrganization)
	api.Get("/organizations/:org/projects/", s.scope("project:read"), s.apiProjects)
	api.Get("/projects/", s.scope("project:read"), s.apiProjects)
	api.Get("/projects/:org/:project/", s.scope("project:read"), s.apiOneProject)
	api.Get("/projects/:org/:project/issues/", s.scope("event:read"), s.apiIssues)
	api.Get("/projects/:org/:project/events/:event/", s.scope("event:read"), s.apiProjectEvent)
	api.Get("/issues/:issue/", s.scope("event:read"), s.apiOneIssue)
	api.Get("/issues/:issue/events/", s.scope("event:read"), s.apiIssueEvents)
	api.Get("/issues/:issue/events/:event/", s.scope("event:read"), s.apiIssueEvent)
	api.Get("/organizations/:org/issues/:issue/", s.scope("event:read"), s.apiOneIssue)
	api.Get("/organizations/:org/issues/:issue/events/", s.scope("event:read"), s.apiIssueEvents)
	api.Get("/organizations/:org/issues/:issue/events/:event/", s.scope("event:read"), s.apiIssueEvent)

	if o.Flags != nil {
		api.Get("/organizations/:org/flags/logs/", s.scope("org:read", "event:read", "switch:read"), s.apiFlagLog)
	}

	// Pages: a session from here on.
	page := s.app.Group("", s.needSession, s.subject(o.Switches), s.checkFormToken)
	page.Get("/", s.getHome)
	page.Post("/signout", s.postSignOut)

	page.Get("/issues", s.getIssues)
	page.Post("/issues", s.postIssues)
	page.Get("/issues/:short", s.getIssue)
	page.Post("/issues/:short", s.postIssue)
	page.Get("/issues/:short/events/:event", s.getIssue)
	page.Get("/issues/:short/events/:event/json", s.getEventJSON)
	page.Get("/issues/:short/events/:event/grouping.json", s.getGroupingJSON)
	page.Get("/issues/:short/events/:event/grouping.txt", s.getGroupingText)
	page.Get("/issues/:short/hashes", s.getHashes)
	page.Post("/issues/:short/hashes", s.postHashes)
	page.Post("/refiles/:id/undo", s.postUndo)
	page.Get("/compare", s.getCompare)

	page.Get("/requests", s.getRequests)
	page.Get("/requests.csv", s.getRequestsCSV)
	page.Get("/requests/:trace/:span?", s.getRequest)
	page.Get("/requests/:trace/:span/json", s.getRequestJSON)

	page.Get("/endpoints", s.getEndpoints)
	page.Get("/endpoint", s.getEndpoint)
	page.Get("/endpoint.csv", s.getEndpointCSV)
	page.Post("/endpoint/settings", s.postEndpointSettings)

	page.Get("/hosts", s.getHosts)
	page.Get("/hosts.csv", s.getHostsCSV)

	page.Get("/queries", s.getQueries)
	page.Get("/queries.csv", s.getQueriesCSV)
	page.Get("/queries/:id", s.getStatement)
	page.Post("/queries/:id/explain", s.postExplain)
	page.Get("/database", s.getDatabase)
	page.Post("/database", s.postDatabase)

	page.Get("/projects", s.getProjects)
	page.Post("/projects", s.postProjects)
	page.Get("/projects/new", s.getNewProject)
	page.Get("/projects/:slug/welcome", s.getWelcome)
	page.Get("/projects/:slug/wait", s.getWait)
	page.Post("/projects/:slug/test-event", s.postTestEvent)
	page.Post("/projects/:slug/rotate-key", s.postRotateKey)
	page.Get("/projects/:slug/events/:event", s.getProjectEvent)

	page.Get("/projects/:slug/grouping", s.getGrouping)
	page.Post("/projects/:slug/grouping", s.postGrouping)
	page.Post("/projects/:slug/grouping/check", s.postCheck)
	page.Post("/projects/:slug/grouping/restore", s.postRestore)
	page.Post("/projects/:slug/grouping/accept", s.postAccept)
	page.Get("/projects/:slug/rehearsals/:id", s.getRehearsal)
	page.Post("/projects/:slug/rehearsals/:id/cancel", s.postCancel)
	page.Post("/projects/:slug/rehearsals/:id/apply", s.postApply)

	if s.board != nil {
		s.switchRoutes(page)
	}

	page.Get("/settings/tokens", s.getTokens)
	page.Post("/settings/tokens", s.postTokens)
	page.Post("/settings/tokens/:id/revoke", s.postRevokeToken)
	s.app.Use(s.notFound)
}

// switchRoutes are the pages of switches. Keys that are pages' names go by /switch?key=.
func (s *Server) switchRoutes(page fiber.Router) {
	page.Get("/switches", s.getSwitches)
	page.Post("/switches", s.postSwitches)
	page.Get("/switches/new", s.getNewSwitch)
	page.Post("/switches/new", s.postNewSwitch)
	page.Get("/switches/audit", s.getSwitchAudit)
	page.Get("/switches/processes", s.getProcesses)
	page.Get("/switches/stale", s.getStale)
	page.Get("/switches/segments", s.getSegments)
	page.Post("/switches/segments", s.postSegments)
	page.Post("/switches/changes/:id/undo", s.postSwitchUndo)
	for _, one := range []string{"/switches/:key", "/switch"} {
		page.Get(one, s.getSwitch)
		page.Post(one, s.postSwitch)
		page.Post(one+"/flip", s.postSwitchFlip)
		page.Post(one+"/guard", s.postSwitchGuard)
		page.Post(one+"/copy", s.postSwitchCopy)
		page.Post(one+"/delete", s.postSwitchDelete)
	}
	page.Get("/labs", s.getLabs)
	page.Post("/labs", s.postLabs)
}
