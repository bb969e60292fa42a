# Perl's client of the Connect table: Debian's own package. Sourced by script/setup-test.sh.

need_clients_perl() {
  plan_package libdbd-mariadb-perl "Perl's DBD::MariaDB" "3 MB"
}
