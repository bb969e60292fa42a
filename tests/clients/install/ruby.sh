# Installs the Ruby clients: Debian's packages, which use MariaDB's library. Sourced by script/setup-test.sh.

need_clients_ruby() {
  plan_package ruby-mysql2 "Ruby's mysql2" "50 MB"
  plan_package ruby-activerecord "Rails' database layer" "5 MB"
}
