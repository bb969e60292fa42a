# Installs the Python clients in one virtual environment, from tests/clients/*/requirements.txt. mysqlclient is built from
# source with MariaDB's library, as pip does on Linux. Sourced by script/setup-test.sh.

need_clients_python() {
  local package
  for package in gcc libc6-dev pkg-config python3-dev libmariadb-dev; do
    plan_package "$package" "builds mysqlclient, and the C clients" "30 MB"
  done
  cmp -s "$CLIENT_CACHE/python/.made-from" <(python_requirements) ||
    plan_clients install_clients_python "PyMySQL, MyCLI, Django ... (pip)" "clients of the Connect table" "200 MB"
}

python_requirements() { sort -u "$ROOT"/tests/clients/*/requirements.txt; }

install_clients_python() {
  local made="$CLIENT_CACHE/python"
  rm -rf "$made"
  mkdir -p "$CLIENT_CACHE"
  python3 -m venv "$made"
  python_requirements >"$made/requirements.txt"
  timeout "$REGISTRY_WAIT_SECONDS" "$made/bin/python" -m pip install -q --disable-pip-version-check -r "$made/requirements.txt"
  mv "$made/requirements.txt" "$made/.made-from"
}
