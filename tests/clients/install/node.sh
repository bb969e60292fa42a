# Installs the Node clients: one folder with the pinned versions of all package.json files in tests/clients. If two of
# them pin different versions of a package, the installation stops. Sourced by
# script/setup-test.sh.

need_clients_node() {
  ls "$ROOT"/tests/clients/*/package.json >/dev/null 2>&1 || return 0
  plan_package nodejs "runs Node clients" "100 MB"
  have npm || plan_package npm "fetches Node clients" "30 MB"
  # Node 18, which Debian 12 has, is too old for some of them: `have` of each tells.
  up_to_date "$CLIENT_CACHE/node" <(pins_of_node) ||
    plan_clients install_clients_node "Node packages (npm)" "clients of the Connect table" "400 MB"
}

pins_of_node() { cat "$ROOT"/tests/clients/*/package.json "$ROOT"/tests/clients/prisma/schema.prisma; }

install_clients_node() {
  local folder="$CLIENT_CACHE/node"
  say "-- installing Node clients"
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 - "$ROOT"/tests/clients/*/package.json >"$folder/package.json" <<'PYTHON'
import json, sys
all = {}
for path in sys.argv[1:]:
    for name, version in json.load(open(path))["dependencies"].items():
        if all.setdefault(name, version) != version:
            sys.exit(f"error: {path} wants {name} {version}, another client {all[name]}")
json.dump({"private": True, "dependencies": all}, sys.stdout, indent=2)
PYTHON
  (cd "$folder" && PRISMA_SKIP_POSTINSTALL_GENERATE=1 timeout "$REGISTRY_WAIT_SECONDS" npm install --silent --no-audit --no-fund --ignore-scripts)
  # Prisma generates its client from a schema. It requires its migration engine, which no registry has, but does not use it.
  cp "$ROOT/tests/clients/prisma/schema.prisma" "$folder/"
  (cd "$folder" && PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1 npx --no-install prisma generate --schema schema.prisma >/dev/null)
  pins_of_node >"$folder/.made-from"
}
