# Go is not installed here: the driver needs 1.24, and Debian 12 and Ubuntu 24.04 have older ones. The modules of each
# folder with a go.mod are fetched and compiled once; without Go its clients are printed as not run. Sourced by
# script/setup-test.sh.

need_clients_go() {
  have go || return 0
  local file missing=no
  for file in "$ROOT"/tests/clients/*/go.mod; do
    up_to_date "$CLIENT_CACHE/go/$(basename "$(dirname "$file")")" "$file" || missing=yes
  done
  [ $missing = no ] || plan_clients install_clients_go "Go modules" "clients of the Connect table" "10 MB"
}

install_clients_go() {
  local file name folder
  say "-- fetching Go clients"
  for file in "$ROOT"/tests/clients/*/go.mod; do
    name=$(basename "$(dirname "$file")")
    folder="$CLIENT_CACHE/go/$name"
    ! up_to_date "$folder" "$file" || continue
    mkdir -p "$folder"
    cp "$file" "${file%.mod}.sum" "$folder/"
    (
      cd "$folder"
      timeout "$REGISTRY_WAIT_SECONDS" go mod download
      # The dependencies are compiled now and only linked when a string is run.
      go list -m -f '{{if not (or .Main .Indirect)}}{{.Path}}{{end}}' all | xargs go build
    )
    cp "$file" "$folder/.made-from"
  done
}
