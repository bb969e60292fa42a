# Oracle's programs, which Debian has in sid only: unpacked into a separate folder, without touching the system.
# Sourced by script/setup-test.sh and script/bench.

SID_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the Debian mirror of this machine; its pool contains sid's packages as well.
debian_mirror() {
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(COMPONENT)' 2>/dev/null |
    awk '$1 == "Debian" && $2 !~ /security/ && $3 == "main" { print $2; exit }'
}

debian_sid_possible() { [ -r "$SID_KEYRING" ] && grep -q '^ID=debian' /etc/os-release; }

optional_mysql9() { optional "mysql 9.x" install_mysql9; }

install_mysql9() {
  say "-- unpacking mysql-client-core from Debian sid"
  rm -rf "$CACHE/mysql9"
  unpack_from_sid "$CACHE/mysql9/root" mysql-client-core
  # --no-defaults must come first.
  write_sid_wrapper "$MYSQL9" "$CACHE/mysql9/root" usr/bin/mysql --no-defaults
  write_sid_wrapper "$MYSQLDUMP9" "$CACHE/mysql9/root" usr/bin/mysqldump
  "$MYSQL9" --version >&2
}

# need_mysqld9 REASON: plans the server of MySQL 9 and its router.
need_mysqld9() {
  [ -x "$MYSQLD9" ] || ! debian_sid_possible ||
    plan optional_mysqld9 "mysqld, mysqlrouter 9.x (from sid)" "$1" "360 MB, 15 s"
}

optional_mysqld9() { optional "mysqld and mysqlrouter 9.x" install_mysqld9; }

install_mysqld9() {
  say "-- unpacking mysql-server-core and mysql-router from Debian sid"
  local folder root
  folder=$(dirname "$MYSQLD9")
  root="$folder/root"
  rm -rf "$folder"
  unpack_from_sid "$root" mysql-server-core mysql-router
  write_sid_wrapper "$folder/mysqlrouter" "$root" usr/bin/mysqlrouter
  "$folder/mysqlrouter" --version >&2
  # Last: this file's presence means that everything is installed. --no-defaults must come first.
  write_sid_wrapper "$MYSQLD9" "$root" usr/sbin/mysqld "--no-defaults --basedir='$root/usr'"
  "$MYSQLD9" --version >&2
}

# unpack_from_sid FOLDER PACKAGE ...: downloads the packages with their dependencies through a private apt root (own
# state, cache, sources, an empty dpkg status) and unpacks them with tar into FOLDER. Programs run with the dynamic loader
# of that folder, so neither the libraries nor apt's state of this machine change.
unpack_from_sid() {
  local root=$1 apt="$1-apt" mirror deb
  shift
  apt_update_once
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "no Debian mirror among the package sources" "run apt-get update, then run this again"
  rm -rf "$apt" "$root"
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,etc/preferences.d} "$root"
  : >"$apt/status"
  echo "deb [signed-by=$SID_KEYRING] $mirror sid main" >"$apt/sources.list"
  local options=(
    -q -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o "Dir::Etc=$apt/etc"
    -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none -o Debug::NoLocking=1
  )
  timeout "$REGISTRY_WAIT_SECONDS" apt-get "${options[@]}" update >/dev/null
  timeout "$REGISTRY_WAIT_SECONDS" apt-get "${options[@]}" -y --download-only install "$@" >/dev/null
  for deb in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner
  done
  rm -rf "$apt"
}

# write_sid_wrapper FILE ROOT PROGRAM [OPTIONS]: writes a script that runs a program of the unpacked ROOT with the loader
# and libraries of ROOT.
write_sid_wrapper() {
  local file=$1 root=$2 program=$3 options=${4:-} loader libraries
  loader=$(find "$root" -name 'ld-linux-*.so.*' | head -n 1)
  libraries=$(find "$root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
  [ -n "$loader" ] || return 1
  cat >"$file.new" <<WRAPPER
#!/bin/sh
exec '$loader' --library-path '$libraries' '$root/$program' $options "\$@"
WRAPPER
  chmod 755 "$file.new"
  mv "$file.new" "$file"
}
