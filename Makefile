# Everything a developer or CI needs. `make help` lists it.
# Machines that run as root: PostgreSQL refuses root, so Kibitz and its tests start it as an ordinary user.

SHELL := /bin/bash
GO ?= go
BIN := bin/kibitz
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
SOURCES := $(shell find app ingest grouping views migrations static -type f -not -name '*_test.go' -not -path '*/node_modules/*' -not -path '*/.cache/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help build run demo test test-go test-race check fmt generate bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN) ## Build bin/kibitz

$(BIN): go.mod go.sum $(SOURCES)
	$(GO) build -trimpath -ldflags '-s -w -X kibitz/app/cli.Version=$(VERSION)' -o $(BIN) ./app

run: build ## Start Kibitz with its own PostgreSQL on http://127.0.0.1:8000
	$(BIN) serve

demo: build ## Start Kibitz with realistic traffic in two projects
	$(BIN) demo

test: ## Prove everything; installs what only tests need (SDKs, Chromium)
	@bash app/apptest/setup.sh
	$(GO) test -timeout 11m ./...

test-go: ## The tests without SDKs and browser
	KIBITZ_TEST_SHORT=1 $(GO) test -timeout 11m ./...

test-race: ## The tests of the concurrent packages under the race detector
	$(GO) test -race -timeout 11m ./ingest/... ./app/db/ ./app/issues/ ./app/accounts/ ./app/web/ ./app/requests/ ./app/perf/... ./app/switches/... ./app/rollout/ ./app/impact/ ./grouping/

check: ## Format, vet, staticcheck, generated code, import rules, migrations
	@out=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	  if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi
	@$(GO) mod verify >/dev/null && $(GO) mod tidy -diff
	@before=$$(find views -name '*_templ.go' -exec cat {} + | cksum); $(GO) tool templ generate -path views >/dev/null 2>&1 || exit 1; \
	  after=$$(find views -name '*_templ.go' -exec cat {} + | cksum); \
	  if [ "$$before" != "$$after" ]; then echo "generated code was stale: commit what templ just wrote"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 -run 'TestImports|TestSources|TestNumbering' ./app/apptest ./migrations

fmt: ## Format Go and templ sources
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go' | grep -v _templ.go)
	$(GO) tool templ fmt views

generate: ## Generate Go from the templ pages
	$(GO) tool templ generate -path views

bench: build ## Print the figures that Kibitz promises, each beside a peer or a physical limit
	$(GO) test -run '^$$' -bench . -benchtime 1s ./grouping ./ingest/... ./app/issues ./app/accounts ./app/trace ./app/sketch ./app/detect ./app/perf/... ./app/switches/... ./app/requests ./app/rollout ./app/impact ./views/...
	$(BIN) bench ingest
	$(BIN) bench requests
	$(BIN) bench perf
	$(BIN) bench switches
	$(BIN) bench rehearsal
	$(BIN) bench guard

clean: ## Remove what was built; your data stays
	rm -rf bin tmp
