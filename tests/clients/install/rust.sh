# Installs the Rust clients: each folder with a Cargo.toml is a separate package, whose dependencies are compiled once
# into one target folder. Sourced by script/setup-test.sh.

need_clients_rust() {
  local file missing=no
  # native-tls, as most users of mysql_async have it, is OpenSSL on Linux.
  plan_package libssl-dev "compiles a Rust client" "12 MB"
  plan_package pkg-config "finds OpenSSL for it" "1 MB"
  for file in "$ROOT"/tests/clients/*/Cargo.toml; do
    up_to_date "$CLIENT_CACHE/rust/$(basename "$(dirname "$file")")" "${file%.toml}.lock" || missing=yes
  done
  [ $missing = no ] || plan_clients install_clients_rust "Rust crates" "clients of the Connect table" "400 MB, 3 min"
}

install_clients_rust() {
  local file folder
  say "-- compiling Rust clients"
  for file in "$ROOT"/tests/clients/*/Cargo.toml; do
    folder="$CLIENT_CACHE/rust/$(basename "$(dirname "$file")")"
    ! up_to_date "$folder" "${file%.toml}.lock" || continue
    mkdir -p "$folder/src"
    cp "$file" "${file%.toml}.lock" "$folder/"
    echo 'fn main() {}' >"$folder/src/main.rs"
    CARGO_TARGET_DIR="$CLIENT_CACHE/rust/target" timeout "$REGISTRY_WAIT_SECONDS" \
      cargo build -q --locked --manifest-path "$folder/Cargo.toml"
    cp "${file%.toml}.lock" "$folder/.made-from"
  done
}
