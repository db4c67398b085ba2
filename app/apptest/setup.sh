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
  need chromium || need chromium-browser || need google-chrome || missing+=(chromium)
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

if [ ! -x "$cache/venv/bin/python" ] || ! cmp -s sdk/python/requirements.txt "$cache/venv/requirements.txt"; then
  echo "installing the Python SDK and the engine that rules are compared with"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install -q --disable-pip-version-check -r sdk/python/requirements.txt
  cp sdk/python/requirements.txt "$cache/venv/requirements.txt"
fi

for dir in perf_django perf_otelpython; do
  if [ ! -x "$cache/$dir/bin/python" ] || ! cmp -s "sdk/$dir/requirements.txt" "$cache/$dir/requirements.txt"; then
    echo "installing sdk/$dir"
    python3 -m venv "$cache/$dir"
    "$cache/$dir/bin/pip" install -q --disable-pip-version-check -r "sdk/$dir/requirements.txt"
    cp "sdk/$dir/requirements.txt" "$cache/$dir/requirements.txt"
  fi
done

# These have modules of their own, so that the program does not depend on what only they need.
for dir in perf_gofiber perf_otelgo; do
  mkdir -p "$cache/$dir"
  (cd "sdk/$dir" && go build -o "$cache/$dir/" .)
done

for dir in sdk/node sdk/browser sdk/syslog/express sdk/perf_express sdk/perf_otelnode browser; do
  [ -f "$dir/package.json" ] || continue
  if ! cmp -s "$dir/package.json" "$dir/node_modules/.installed"; then
    echo "installing $dir"
    (cd "$dir" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --no-package-lock --no-audit --no-fund --loglevel=error)
    cp "$dir/package.json" "$dir/node_modules/.installed"
  fi
done

if ! cmp -s sdk/java/pom.xml "$cache/java/pom.xml"; then
  echo "building the Java program"
  mkdir -p "$cache/java"
  mvn -q -B -f sdk/java/pom.xml -DoutputDirectory="$cache/java" -Dkibitz.build="$cache/java/target" package dependency:copy-dependencies
  cp sdk/java/pom.xml "$cache/java/pom.xml"
fi
