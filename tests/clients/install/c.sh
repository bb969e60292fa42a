# Installs the clients in C, and ODBC: MariaDB's libraries from Debian; Oracle's, which conflict with the MariaDB packages
# of Debian 12 and Ubuntu, unpacked from Debian sid. Sourced by script/setup-test.sh.

need_clients_c() {
  local package
  for package in gcc libc6-dev pkg-config libmariadb-dev; do
    plan_package "$package" "compiles the C clients of the Connect table" "30 MB"
  done
  for package in odbc-mariadb unixodbc; do
    plan_package "$package" "the ODBC client of the Connect table" "2 MB"
  done
  [ -e "$CLIENT_CACHE/c/.made-from" ] || ! debian_sid_possible ||
    plan_clients install_clients_c "libmysqlclient (from Debian sid)" "clients of the Connect table" "120 MB"
}

install_clients_c() {
  mkdir -p "$CLIENT_CACHE/c"
  unpack_from_sid "$CLIENT_CACHE/c/root" libmysqlclient-dev
  # sid changes; the unpacked version is the one that is run.
  basename "$CLIENT_CACHE"/c/root/usr/lib/*/libmysqlclient.so.*.*.* >"$CLIENT_CACHE/c/.made-from"
}
