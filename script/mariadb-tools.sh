# MariaDB's dump program and its test suite: unpacked into a separate folder, because their packages would install a whole
# server. Sourced by script/setup-test.sh.

need_mariadb_tools() {
  [ -e "$MARIADB_TOOLS/.made-from" ] ||
    plan optional_mariadb_tools "mariadb-dump, mariadb-test (unpacked)" "compares the gateway with MariaDB" "300 MB"
}

optional_mariadb_tools() { optional "mariadb-dump or mariadb-test" install_mariadb_tools; }

install_mariadb_tools() {
  say "-- unpacking mariadb-client and mariadb-test"
  apt_update_once
  local dir deb
  dir=$(mktemp -d)
  chmod 755 "$dir"
  (cd "$dir" && timeout "$REGISTRY_WAIT_SECONDS" apt-get -q download mariadb-client mariadb-test mariadb-test-data libpcre2-posix3 >/dev/null 2>&1)
  rm -rf "$MARIADB_TOOLS"
  mkdir -p "$MARIADB_TOOLS"
  for deb in "$dir"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$MARIADB_TOOLS" --no-same-owner
  done
  rm -rf "$dir"
  "$MARIADB_TOOLS/usr/bin/mariadb-dump" --no-defaults --version >&2
  LD_LIBRARY_PATH=$(echo "$MARIADB_TOOLS"/usr/lib/*-linux-gnu) "$MARIADB_TOOLS/usr/bin/mariadb-test" --no-defaults --version >&2
  : >"$MARIADB_TOOLS/.made-from"
}
