# Installs what only the tests need: real clients, each from its registry by package name, separate from the system.
# Sourced by script/setup. If a registry can't be reached, its client is left out; the test of that client then prints
# "not run", never "passed".
. "$ROOT/script/sid.sh"
. "$ROOT/script/mariadb-tools.sh"
. "$ROOT/script/foreign-suites.sh"

CARGO_DENY_VERSION=0.20.2
# The ACME server of the tests. Debian 12 has 2.4.0, which supports neither renewal information nor profiles.
PEBBLE_VERSION=2.10.1
# Pinned versions are beside the client that uses them: tests/drivers/{python,java,go,rust}.
CLIENTS="$ROOT/tests/drivers"

need_test() {
  need_build
  need_run
  plan_package openssl "offers TLS 1.0 and 1.1 to the endpoint" "1 MB"
  plan_package curl "queries the console and the API" "1 MB"
  plan_package libfaketime "tells the server a wrong time" "1 MB"
  plan_package knot "a name server that accepts signed updates" "5 MB"
  plan_package haproxy "is checked in front of MariaDB" "5 MB"
  plan_package sslscan "compared with tidegate check" "1 MB"
  plan_package procps "finds processes that were left behind" "1 MB"
  plan_package libnss3-tools "reads and changes the stores of browsers" "4 MB"
  plan_package mmdebstrap "makes the clean system for the test of the package" "1 MB"
  python3 -c 'import venv, ensurepip' 2>/dev/null || plan_package python3-venv "a separate folder for Python clients" "2 MB"
  # Go is not installed here: the driver needs 1.24, and Debian 12 and Ubuntu 24.04 have older ones. Without Go, its
  # client is printed as not run.
  have javac || plan_package default-jdk-headless "runs the Java clients" "240 MB"
  have mvn || plan_package maven "fetches the Java clients" "40 MB"
  [ -x "$TOOLS/bin/cargo-deny" ] || have cargo-deny ||
    plan optional_cargo_deny "cargo-deny $CARGO_DENY_VERSION" "checks licences, sources and bans" "15 MB, 6 min"
  [ -x "$TOOLS/bin/pebble" ] || ! have go ||
    plan optional_pebble "pebble $PEBBLE_VERSION (Go module)" "the ACME server of the tests" "23 MB, 1 min"
  { [ -x "$MYSQL9" ] && [ -x "$MYSQLDUMP9" ]; } || ! debian_sid_possible ||
    plan optional_mysql9 "mysql 9.x (unpacked from Debian sid)" "Oracle's command-line client and mysqldump" "111 MB"
  need_mariadb_tools
  need_mysqld9 "servers that tidegate check is tried on"
  up_to_date "$CACHE/python" "$CLIENTS/python/requirements.txt" ||
    plan optional_python "PyMySQL, SQLAlchemy (pip)" "Python clients, in a separate folder" "60 MB"
  up_to_date "$CACHE/schemathesis" "$ROOT/tests/api/requirements.txt" ||
    plan optional_schemathesis "schemathesis (pip)" "tests the API by its description" "90 MB"
  up_to_date "$JARS" "$CLIENTS/java/versions" ||
    plan optional_jars "Connector/J, r2dbc-mysql (Maven)" "Java clients, old and new" "30 MB"
  [ -x /usr/bin/chromium ] || plan_package chromium "tests the console in a browser" "390 MB"
  [ "$(system)" != debian-12 ] || plan_package firefox-esr "the same in another browser" "260 MB"
  plan_package fonts-inter "font for screenshots of the console" "8 MB"
  plan_package fonts-jetbrains-mono "the same for code" "5 MB"
  have npm || plan_package npm "fetches axe-core, which checks accessibility" "60 MB"
  up_to_date "$BROWSER" "$ROOT/tests/browser/versions" ||
    plan optional_browser "playwright (pip), axe-core (npm)" "drive the browser, in a separate folder" "150 MB"
  local language
  for language in "$ROOT"/tests/clients/install/*.sh; do
    "need_clients_$(basename "$language" .sh)"
  done
  [ ${#CLIENT_STEPS[@]} = 0 ] || PLAN_STEPS+=(install_clients)
  # After the clients: it uses their Python.
  need_foreign_suites
}

# --- the clients of crates/connect/clients: one file per language, each with need_clients_LANGUAGE, which plans Debian
# packages and calls plan_clients INSTALL "name" "reason" "size" if something is missing ---

CLIENT_STEPS=()
for language in "$ROOT"/tests/clients/install/*.sh; do
  . "$language"
done

plan_clients() {
  CLIENT_STEPS+=("$1")
  PLAN_LINES+=("$(printf '  %-34s %-46s %s' "$2" "$3" "$4")")
}

# In parallel: each waits mostly for its registry.
install_clients() {
  # Some unpack Debian packages; two at once would compete for apt's lock.
  apt_update_once
  local step
  for step in "${CLIENT_STEPS[@]}"; do
    optional "what $step installs" "$step" &
  done
  wait
}

# A folder is up to date if its copy of the file with the pinned versions is the same.
up_to_date() { cmp -s "$1/.made-from" "$2"; }

optional_cargo_deny() { optional cargo-deny install_cargo_deny; }
install_cargo_deny() {
  say "-- building cargo-deny $CARGO_DENY_VERSION"
  timeout "$REGISTRY_WAIT_SECONDS" cargo install -q --locked cargo-deny --version "$CARGO_DENY_VERSION" --root "$TOOLS"
}

optional_pebble() { optional Pebble install_pebble; }
install_pebble() {
  say "-- building Pebble $PEBBLE_VERSION"
  local module=github.com/letsencrypt/pebble/v2/cmd
  GOBIN="$TOOLS/bin" timeout "$REGISTRY_WAIT_SECONDS" go install \
    "$module/pebble@v$PEBBLE_VERSION" "$module/pebble-challtestsrv@v$PEBBLE_VERSION"
}

optional_python() { optional "PyMySQL and SQLAlchemy" install_python; }
install_python() {
  say "-- installing the Python clients"
  rm -rf "$CACHE/python"
  python3 -m venv "$CACHE/python"
  timeout "$REGISTRY_WAIT_SECONDS" "$PYTHON" -m pip install -q --disable-pip-version-check -r "$CLIENTS/python/requirements.txt"
  cp "$CLIENTS/python/requirements.txt" "$CACHE/python/.made-from"
}

optional_browser() { optional "playwright or axe-core" install_browser; }
install_browser() {
  say "-- installing playwright and axe-core"
  local versions="$ROOT/tests/browser/versions" playwright axe
  playwright=$(awk '$1 == "playwright" { print $2 }' "$versions")
  axe=$(awk '$1 == "axe-core" { print $2 }' "$versions")
  rm -rf "$BROWSER"
  mkdir -p "$BROWSER"
  python3 -m venv "$BROWSER/venv"
  timeout "$REGISTRY_WAIT_SECONDS" "$BROWSER/venv/bin/python" -m pip install -q --disable-pip-version-check "playwright==$playwright"
  timeout "$REGISTRY_WAIT_SECONDS" npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$BROWSER" "axe-core@$axe"
  cp "$versions" "$BROWSER/.made-from"
}

optional_schemathesis() { optional schemathesis install_schemathesis; }
install_schemathesis() {
  say "-- installing schemathesis"
  rm -rf "$CACHE/schemathesis"
  python3 -m venv "$CACHE/schemathesis"
  timeout "$REGISTRY_WAIT_SECONDS" "$CACHE/schemathesis/bin/pip" install -q --disable-pip-version-check \
    -r "$ROOT/tests/api/requirements.txt"
  cp "$ROOT/tests/api/requirements.txt" "$CACHE/schemathesis/.made-from"
}

optional_jars() { optional "the Java clients" install_jars; }
# One folder per set of jars, because two versions of a driver can't share a class path.
install_jars() {
  say "-- fetching the Java clients"
  rm -rf "$JARS"
  mkdir -p "$JARS"
  local set coordinates
  while read -r set coordinates; do
    case "$set" in '' | '#'*) continue ;; esac
    maven_fetch "$JARS/$set" <<<"$coordinates"
  done <"$CLIENTS/java/versions"
  cp "$CLIENTS/java/versions" "$JARS/.made-from"
}

# maven_fetch FOLDER: reads group:artifact:version lines and fetches these libraries with their dependencies into FOLDER,
# which is then a class path.
maven_fetch() {
  mkdir -p "$1"
  maven_pom >"$1/pom.xml"
  timeout "$REGISTRY_WAIT_SECONDS" mvn -q -B -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$1" </dev/null
}

maven_pom() {
  local group artifact version
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>tidegate.tests</groupId><artifactId>client</artifactId><version>1</version><packaging>pom</packaging>'
  echo '<dependencies>'
  while IFS=: read -r group artifact version; do
    echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
  done
  echo '</dependencies></project>'
}
