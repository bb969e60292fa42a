# What only the tests need: clients of the real world, each from its own registry by package name, none of them mixed
# into the system. Sourced by script/setup. A registry that can't be reached leaves its client out: the test of that
# client then prints "not run", never "passed".

CARGO_DENY_VERSION=0.20.2
PYMYSQL_VERSION=1.2.4
SQLALCHEMY_VERSION=2.1.9

need_test() {
  need_build
  need_run
  plan_package openssl "offers TLS 1.0 and 1.1 to the endpoint" "1 MB"
  plan_package python3-venv "a folder of its own for Python clients" "2 MB"
  plan_package procps "looks for processes left behind" "1 MB"
  [ -x "$TOOLS/bin/cargo-deny" ] || have cargo-deny ||
    plan optional_cargo_deny "cargo-deny $CARGO_DENY_VERSION" "checks licences, sources and bans" "15 MB, 6 min"
}

# A step that may fail without stopping the rest: its part of the tests then says "not run".
optional() {
  local what=$1
  shift
  if ! "$@"; then
    say "note: $what could not be had; what needs it will be printed as not run"
  fi
}

optional_cargo_deny() { optional cargo-deny install_cargo_deny; }
install_cargo_deny() {
  say "-- building cargo-deny $CARGO_DENY_VERSION"
  timeout "$REGISTRY_WAIT_SECONDS" cargo install -q --locked cargo-deny --version "$CARGO_DENY_VERSION" --root "$TOOLS"
}
