# Installs the PHP clients: Debian's packages. Only the files of WordPress are needed, so they are unpacked and no web
# server is installed. Sourced by script/setup-test.sh.

need_clients_php() {
  plan_package php-cli "runs PHP clients" "20 MB"
  plan_package php-mysql "PDO and mysqli" "1 MB"
  plan_package php-laravel-framework "Laravel's database layer" "20 MB"
  [ -d "$CLIENT_CACHE/php/wordpress" ] || plan_clients install_clients_php "WordPress (unpacked from Debian)" "client of the Connect table" "51 MB"
}

install_clients_php() {
  local folder="$CLIENT_CACHE/php" work
  apt_update_once
  work=$(mktemp -d)
  chmod 755 "$work"
  (cd "$work" && timeout "$REGISTRY_WAIT_SECONDS" apt-get -q download wordpress >/dev/null)
  mkdir -p "$folder" "$work/root"
  dpkg-deb --fsys-tarfile "$work"/wordpress_*.deb | tar -x -C "$work/root" --no-same-owner
  rm -rf "$folder/wordpress"
  mv "$work/root/usr/share/wordpress" "$folder/wordpress"
  rm -rf "$work"
}
