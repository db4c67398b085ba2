#!/usr/bin/env bash
# Installs what only tests need: the official SDKs, a browser's driver, axe-core. It may be repeated; what is there stays.
set -euo pipefail
cd "$(dirname "$0")"
cache="${KIBITZ_TEST_CACHE:-$PWD/.cache}"
mkdir -p "$cache"
need() { command -v "$1" >/dev/null 2>&1; }

if [ "$(id -u)" = 0 ] && need apt-get; then
  missing=()
  need python3 && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
  need node || missing+=(nodejs)
  need npm || missing+=(npm)
  need mvn || missing+=(maven default-jdk-headless)
  need psql || missing+=(postgresql)
  need pgbadger || missing+=(pgbadger)
  need rsyslogd || missing+=(rsyslog)
  need logger || missing+=(bsdutils)
  need chromium || need chromium-browser || need google-chrome || missing+=(chromium)
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

# venv makes a virtual environment of its own from a list of requirements.
venv() {
  if [ ! -x "$cache/$1/bin/python" ] || ! cmp -s "$2" "$cache/$1/requirements.txt"; then
    echo "installing $2"
    python3 -m venv "$cache/$1"
    "$cache/$1/bin/pip" install -q --disable-pip-version-check -r "$2"
    cp "$2" "$cache/$1/requirements.txt"
  fi
}
venv venv sdk/python/requirements.txt # the Python SDK and the engine that rules are compared with
venv switches sdk/switches_python/requirements.txt
venv perf_django sdk/perf_django/requirements.txt
venv perf_otelpython sdk/perf_otelpython/requirements.txt

for dir in sdk/switches_node sdk/switches_browser sdk/node sdk/browser sdk/perf_express sdk/perf_otelnode sdk/syslog/express browser; do
  [ -f "$dir/package.json" ] || continue
  if ! cmp -s "$dir/package.json" "$dir/node_modules/.installed"; then
    echo "installing $dir"
    (cd "$dir" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --no-package-lock --no-audit --no-fund --loglevel=error)
    cp "$dir/package.json" "$dir/node_modules/.installed"
  fi
done

# The programs of other modules are built here, since tests ask no network; Go builds again only what has changed.
for dir in perf_gofiber perf_otelgo; do
  go -C "sdk/$dir" build -o "$cache/$dir" .
done

if ! cmp -s sdk/java/pom.xml "$cache/java/pom.xml"; then
  echo "building the Java program"
  mkdir -p "$cache/java"
  mvn -q -B -f sdk/java/pom.xml -DoutputDirectory="$cache/java" -Dkibitz.build="$cache/java/target" package dependency:copy-dependencies
  cp sdk/java/pom.xml "$cache/java/pom.xml"
fi
