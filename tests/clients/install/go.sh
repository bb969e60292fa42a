# Go is not installed here: the driver wants 1.24, Debian 12 and Ubuntu 24.04 package older ones. Each folder with a
# go.mod fetches its own modules; without Go its clients are printed as not run. Sourced by script/setup-test.sh.

need_clients_go() {
  have go || return 0
  local folder missing=no
  for folder in "$ROOT"/tests/clients/*/go.mod; do
    up_to_date "$CLIENT_CACHE/go/$(basename "$(dirname "$folder")")" "${folder%.mod}.sum" || missing=yes
  done
  [ $missing = no ] || plan_clients install_clients_go "Go modules" "clients of the Connect table" "10 MB"
}

install_clients_go() {
  local folder name
  for folder in "$ROOT"/tests/clients/*/go.mod; do
    name=$(basename "$(dirname "$folder")")
    (cd "$(dirname "$folder")" && timeout "$REGISTRY_WAIT_SECONDS" go mod download)
    mkdir -p "$CLIENT_CACHE/go/$name"
    cp "${folder%.mod}.sum" "$CLIENT_CACHE/go/$name/.made-from"
  done
}
