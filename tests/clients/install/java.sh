# Java's clients of the Connect table: a class path folder for each maven.txt (one group:artifact:version a line),
# since two versions of one library can't share one. Sourced by script/setup-test.sh.

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
    mkdir -p "$folder"
    pom_of_java_clients <"$file" >"$folder/pom.xml"
    timeout "$REGISTRY_WAIT_SECONDS" mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$folder" </dev/null
    cp "$file" "$folder/.made-from"
  done
}

pom_of_java_clients() {
  local group artifact version
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>tidegate.tests</groupId><artifactId>client</artifactId><version>1</version><packaging>pom</packaging>'
  echo '<dependencies>'
  while IFS=: read -r group artifact version; do
    echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
  done
  echo '</dependencies></project>'
}
