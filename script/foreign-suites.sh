# The sources of drivers whose tests are in their source packages only, and the program that runs them. Sourced by
# script/setup-test.sh.

need_foreign_suites() {
  cmp -s "$CACHE/suites/.made-from" <(foreign_pins) ||
    plan optional_foreign_suites "pytest, sources of drivers (pip)" "their own tests, in script/test all" "10 MB"
}

foreign_pins() { cat "$ROOT/tests/foreign/sources.txt" "$ROOT/tests/foreign/requirements.txt"; }

optional_foreign_suites() { optional "the tests of drivers" install_foreign_suites; }

install_foreign_suites() {
  say "-- fetching the tests of drivers"
  local suites="$CACHE/suites" source python="$CLIENT_CACHE/python/bin/python"
  rm -rf "$suites"
  mkdir -p "$suites/sources"
  timeout "$REGISTRY_WAIT_SECONDS" "$python" -m pip install -q --disable-pip-version-check --target "$suites/lib" \
    -r "$ROOT/tests/foreign/requirements.txt"
  timeout "$REGISTRY_WAIT_SECONDS" "$python" -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: \
    -d "$suites/sources" -r "$ROOT/tests/foreign/sources.txt"
  for source in "$suites"/sources/*.tar.gz; do
    tar -xzf "$source" -C "$suites/sources"
  done
  foreign_pins >"$suites/.made-from"
}
