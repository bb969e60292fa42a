# Functions for the runs of Rust clients: a string is put unchanged into a program and compiled where the dependencies
# already are. Sourced after script/lib.sh by a folder's run and have.

RUST_NAME=$(basename "$(cd "$(dirname "$0")" && pwd)")
RUST_FOLDER="$CLIENT_CACHE/rust/$RUST_NAME"

rust_have() {
  have cargo || { echo "no Rust is installed"; exit 1; }
  [ -e "$RUST_FOLDER/.made-from" ] || { echo "its crates were not to be had"; exit 1; }
}

rust_version() {
  echo "version $(awk -v name="\"$1\"" '$1 == "name" { found = $3 == name } found && $1 == "version" { gsub("\"", "", $3); print $3 }' "$RUST_FOLDER/Cargo.lock")"
}

# rust_run TEXT AFTER: puts both into main, one after the other. There is one package per client, because a package in
# each run's folder would be compiled again and kept forever; so only one run at a time may use it.
rust_run() {
  local program="$PWD/program"
  (
    flock 9
    {
      echo '#[tokio::main(flavor = "current_thread")]'
      echo 'async fn main() -> Result<(), Box<dyn std::error::Error>> {'
      echo "$1"
      echo "$2"
      echo 'Ok(())'
      echo '}'
    } >"$RUST_FOLDER/src/main.rs"
    CARGO_TARGET_DIR="$CLIENT_CACHE/rust/target" cargo build -q --offline --locked --manifest-path "$RUST_FOLDER/Cargo.toml"
    cp "$CLIENT_CACHE/rust/target/debug/client-$RUST_NAME" "$program"
  ) 9>"$RUST_FOLDER/lock"
  "$program"
}
