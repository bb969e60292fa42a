# Installs the Perl client: Debian's package. Sourced by script/setup-test.sh.

need_clients_perl() {
  plan_package libdbd-mariadb-perl "Perl's DBD::MariaDB" "3 MB"
}
