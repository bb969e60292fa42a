# Functions that the scripts share: messages, consent, installing packages. Sourced, never run. Installs only by package
# name, from the package sources that this machine already uses.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/tidegate"
TOOLS="$CACHE/tools"
TZINFO_TO_SQL="$CACHE/tzinfo/usr/bin/mariadb-tzinfo-to-sql"
MYSQL9="$CACHE/mysql9/mysql9"
MYSQLDUMP9="$CACHE/mysql9/mysqldump9"
MARIADB_TOOLS="$CACHE/mariadb-tools"
# mysqlrouter is beside it.
MYSQLD9="$CACHE/mysql9-servers/mysqld"
PYTHON="$CACHE/python/bin/python"
JARS="$CACHE/jars"
# Playwright and axe-core, for the test of the console.
BROWSER="$CACHE/browser"
# Libraries of the clients in crates/connect/clients, one folder per language.
CLIENT_CACHE="$CACHE/clients"

# A call of a registry may hang forever on a bad network. The slowest step (cargo-deny) took 6 minutes.
REGISTRY_WAIT_SECONDS=1200

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $1"; [ $# -lt 2 ] || say "  hint: $2"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# rustup installs here; a shell that was open before has not read its profile again.
case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH="$HOME/.cargo/bin:$PATH" ;; esac
# Debian keeps servers in /usr/sbin, which is not on an ordinary user's PATH.
case ":$PATH:" in *":/usr/sbin:"*) ;; *) PATH="$PATH:/usr/sbin:/sbin" ;; esac
export PATH

# Prints the system: "debian-12", "ubuntu-24.04", or the values of /etc/os-release.
system() {
  (
    . /etc/os-release 2>/dev/null || { echo unknown; exit; }
    echo "${ID:-unknown}-${VERSION_ID:-}"
  )
}

require_known_system() {
  case "$(system)" in
    debian-12) ;;
    ubuntu-24.04) say "note: Ubuntu 24.04 has the same packages, but this script has not been tested there yet" ;;
    *)
      die "this is $(system); this script installs packages on Debian 12 and Ubuntu 24.04 only" \
        "install by hand: Rust $(rust_channel) (rustup), a C compiler, the MariaDB 10.11 server program (mariadbd) with its scripts, the mariadb command-line client, and mariadb-tzinfo-to-sql; then run: cargo build --release && target/release/tidegate up"
      ;;
  esac
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "this needs root, and sudo is not installed: $*" "run it as root, or install what is listed above by hand"
  fi
}

# --- the plan: lists every missing thing with its reason and size before anything is installed ---

PLAN_STEPS=()
PLAN_LINES=()
YES=${YES:-no}

# plan STEP "name" "reason" "size": STEP is the function that installs it.
plan() {
  PLAN_STEPS+=("$1")
  PLAN_LINES+=("$(printf '  %-34s %-46s %s' "$2" "$3" "$4")")
}

# plan_package PACKAGE "reason" "size": missing Debian packages are installed together.
APT_MISSING=()
plan_package() {
  dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed && return
  APT_MISSING+=("$1")
  PLAN_LINES+=("$(printf '  %-34s %-46s %s' "package $1" "$2" "$3")")
}

consent() {
  [ "$YES" = yes ] && return
  [ -t 0 ] && [ -t 2 ] || die "packages must be installed, and there is no terminal to ask for consent" "run it again with --yes"
  local answer
  read -r -p "Install these now? [y/N] " answer >&2
  case "$answer" in y | Y | yes) ;; *) die "nothing was installed" "run it again to install them" ;; esac
}

carry_out_plan() {
  if [ ${#PLAN_LINES[@]} = 0 ]; then
    return
  fi
  require_known_system
  say "Missing on this machine:"
  printf '%s\n' "${PLAN_LINES[@]}" >&2
  consent
  mkdir -p "$CACHE"
  if [ ${#APT_MISSING[@]} != 0 ]; then
    apt_install "${APT_MISSING[@]}"
  fi
  local step
  for step in ${PLAN_STEPS[@]+"${PLAN_STEPS[@]}"}; do
    "$step"
  done
}

APT_UPDATED=no
apt_update_once() {
  [ "$APT_UPDATED" = yes ] && return
  say "-- reading the package lists"
  # A third-party source that can't be reached must not stop an installation from Debian's sources.
  as_root apt-get -q update >/dev/null || say "note: some package sources could not be read; continuing with the others"
  APT_UPDATED=yes
}

apt_install() {
  apt_update_once
  say "-- installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" >/dev/null
}

rust_channel() { sed -n 's/^channel *= *"\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml"; }

# optional "name" COMMAND: runs a step that may fail; the tests that need it are then printed as "not run".
optional() {
  local what=$1
  shift
  # `set -e` has no effect in a function that is called in a condition; a subshell keeps it.
  local status=0
  set +e
  (set -e; "$@")
  status=$?
  set -e
  [ $status = 0 ] || say "note: $what could not be installed; tests that need it will be printed as not run"
}
