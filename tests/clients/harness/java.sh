# Functions for the runs of Java clients: a string is put unchanged into a program (its imports on top, the rest into
# main), which is compiled and run as it is. Sourced after script/lib.sh by a folder's run and have.

CLASSES="$CLIENT_CACHE/java/$(basename "$(cd "$(dirname "$0")" && pwd)")"

# Java reads variables of the environment in the locale's encoding.
export LC_ALL=C.UTF-8

java_have() {
  have javac || { echo "no JDK is installed"; exit 1; }
  [ -e "$CLASSES/.made-from" ] || { echo "its libraries were not to be had from Maven"; exit 1; }
}

# Prints the version in the name of a library's file.
java_version() {
  local file
  for file in "$CLASSES/$1"-[0-9]*.jar; do
    file=${file##*/"$1"-}
    echo "version ${file%.jar}"
  done
}

# java_run TEXT AFTER: puts both into main, one after the other.
java_run() {
  {
    grep '^import ' <<<"$1" || true
    echo 'public class Main {'
    echo 'public static void main(String[] arguments) throws Exception {'
    grep -v '^import ' <<<"$1"
    echo "$2"
    echo '}'
    echo '}'
  } >Main.java
  # The programs are short: the second compiler would only cost time.
  java -XX:TieredStopAtLevel=1 -cp "$CLASSES/*:." Main.java
}

# Code for a java.sql.Connection named connection.
JDBC_ROW='try (var rows = connection.createStatement().executeQuery(System.getenv("TG_QUERY"))) {
  rows.next();
  System.out.println(rows.getString(1));
}
connection.close();'
# The string is a URL, which is passed to the driver unchanged.
JDBC_URL='var connection = java.sql.DriverManager.getConnection(
    java.nio.file.Files.readString(java.nio.file.Path.of(System.getenv("TG_STRING"))).strip());'
# jdbc_off URL: logs in with the user's name and password.
jdbc_off() {
  echo "var connection = java.sql.DriverManager.getConnection(\"$1\", System.getenv(\"TG_USER\"), System.getenv(\"TG_PASSWORD\"));"
}

# Code for an io.r2dbc.spi.ConnectionFactory named connections.
R2DBC_ROW='var row = reactor.core.publisher.Mono.from(connections.create())
    .flatMapMany(connection -> connection.createStatement(System.getenv("TG_QUERY")).execute())
    .flatMap(result -> result.map((columns, about) -> columns.get(0, String.class)))
    .blockFirst(java.time.Duration.ofSeconds(60));
System.out.println(row);
System.exit(0);'
R2DBC_URL='var connections = io.r2dbc.spi.ConnectionFactories.get(
    java.nio.file.Files.readString(java.nio.file.Path.of(System.getenv("TG_STRING"))).strip());'
