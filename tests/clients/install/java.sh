# Installs the Java clients: a class path folder for each maven.txt (one group:artifact:version a line), because two
# versions of a library can't share one. Sourced by script/setup-test.sh.

need_clients_java() {
  local file missing=no
  have javac || plan_package default-jdk-headless "runs Java clients" "240 MB"
  have mvn || plan_package maven "fetches Java clients" "40 MB"
  for file in "$ROOT"/tests/clients/*/maven.txt; do
    up_to_date "$(java_class_path "$file")" "$file" || missing=yes
  done
  [ $missing = no ] || plan_clients install_clients_java "Java libraries (Maven)" "clients of the Connect table" "60 MB"
}

java_class_path() { echo "$CLIENT_CACHE/java/$(basename "$(dirname "$1")")"; }

install_clients_java() {
  local file folder
  say "-- fetching Java clients"
  for file in "$ROOT"/tests/clients/*/maven.txt; do
    folder=$(java_class_path "$file")
    ! up_to_date "$folder" "$file" || continue
    rm -rf "$folder"
    maven_fetch "$folder" <"$file"
    cp "$file" "$folder/.made-from"
  done
}
