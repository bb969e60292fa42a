// Program of MariaDB's and MySQL's JDBC drivers: Steps mariadb-connectorj|connectorj STATEMENTS|login.

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.*;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

public class Steps {
    static Connection connection;
    static StringBuilder line;

    static String quoted(String text) {
        if (text == null) return "null";
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ' || c > '~') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static void begin(String step) { line = new StringBuilder("{\"step\": " + quoted(step)); }

    static void note(String name, Object value) {
        line.append(", ").append(quoted(name)).append(": ").append(quoted(String.valueOf(value)));
    }

    static void noteAll(String name, List<String> values) {
        line.append(", ").append(quoted(name)).append(": [");
        for (int i = 0; i < values.size(); i++) line.append(i == 0 ? "" : ", ").append(quoted(values.get(i)));
        line.append("]");
    }

    static void end() { System.out.println(line.append("}")); }

    static void noteError(SQLException e) {
        String text = String.valueOf(e.getMessage()).replaceFirst("^\\(conn=\\d+\\) ", "");
        // The engine reports changed variables in the order of their addresses, and MariaDB's driver names the first.
        text = text.replaceFirst("^Connection character.set\\S* was changed", "Connection character set was changed");
        note("error", e.getErrorCode() + " " + e.getSQLState() + " " + e.getClass().getSimpleName() + " " + text);
    }

    static Connection open(String driver, String user, String password, String database, String more) throws SQLException {
        String kind = driver.startsWith("mariadb") ? "mariadb" : "mysql";
        // The certificate is not what is compared here.
        String options = kind.equals("mariadb")
            ? "sslMode=trust&allowMultiQueries=true&allowLocalInfile=true&dumpQueriesOnException=false"
            : "sslMode=REQUIRED&allowMultiQueries=true&allowLoadLocalInfile=true&trackSessionState=true";
        Properties login = new Properties();
        login.setProperty("user", user);
        login.setProperty("password", password);
        String at = System.getenv("TG_HOST") + ":" + System.getenv("TG_PORT");
        return DriverManager.getConnection("jdbc:" + kind + "://" + at + "/" + database + "?" + options + more, login);
    }

    static Connection open(String driver, String more) throws SQLException {
        return open(driver, System.getenv("TG_USER"), System.getenv("TG_PASSWORD"), System.getenv("TG_DATABASE"), more);
    }

    static String shown(ResultSet rows, int column) throws Exception {
        byte[] bytes;
        try {
            bytes = rows.getBytes(column);
        } catch (SQLException e) {
            return "text " + rows.getString(column);
        }
        if (bytes == null) return "null";
        if (bytes.length > 200) {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return bytes.length + " bytes " + digest[0] + digest[1] + digest[2] + digest[3];
        }
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    static void noteRows(int number, ResultSet rows) throws Exception {
        ResultSetMetaData meta = rows.getMetaData();
        List<String> columns = new ArrayList<>(), values = new ArrayList<>();
        for (int i = 1; i <= meta.getColumnCount(); i++) {
            columns.add(String.join(" | ", meta.getColumnLabel(i), meta.getColumnName(i), meta.getTableName(i), meta.getCatalogName(i),
                meta.getColumnTypeName(i), meta.getColumnClassName(i), meta.getPrecision(i) + " " + meta.getScale(i) + " "
                + meta.isNullable(i) + " " + meta.isSigned(i) + " " + meta.isAutoIncrement(i) + " " + meta.getColumnType(i)));
        }
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (int i = 1; i <= meta.getColumnCount(); i++) row.add(shown(rows, i));
            values.add(String.join(" | ", row));
        }
        noteAll("columns " + number, columns);
        noteAll("rows " + number, values);
    }

    static void noteResults(Statement statement, boolean isRows) throws Exception {
        for (int number = 0; number < 100; number++) {
            if (isRows) noteRows(number, statement.getResultSet());
            else if (statement.getUpdateCount() == -1) break;
            else note("updated " + number, statement.getUpdateCount());
            isRows = statement.getMoreResults();
        }
        List<String> warnings = new ArrayList<>();
        for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) {
            warnings.add(w.getErrorCode() + " " + w.getSQLState() + " " + w.getMessage());
        }
        noteAll("warnings", warnings);
    }

    static void run(String step, String sql) throws Exception {
        begin(step);
        try (Statement statement = connection.createStatement()) {
            boolean isRows = statement.execute(sql, Statement.RETURN_GENERATED_KEYS);
            if (!isRows && statement.getUpdateCount() >= 0 && sql.startsWith("insert")) {
                try (ResultSet keys = statement.getGeneratedKeys()) {
                    List<String> ids = new ArrayList<>();
                    while (keys.next()) ids.add(keys.getString(1));
                    noteAll("keys", ids);
                }
            }
            noteResults(statement, isRows);
        } catch (SQLException e) {
            noteError(e);
        }
        end();
    }

    static void prepared(String step, String sql, Connection on, Object... values) throws Exception {
        begin(step);
        try (PreparedStatement statement = on.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            noteResults(statement, statement.execute());
        } catch (SQLException e) {
            noteError(e);
        }
        end();
    }

    static void batch(String driver) throws Exception {
        begin("batch");
        try (Statement create = connection.createStatement()) {
            create.execute("create or replace table batched (a int primary key, b varchar(20))");
        }
        try (PreparedStatement statement = connection.prepareStatement("insert into batched values (?, ?)")) {
            for (int i = 0; i < 300; i++) {
                statement.setInt(1, i);
                statement.setString(2, i % 7 == 0 ? null : "v" + i);
                statement.addBatch();
            }
            note("counts", java.util.Arrays.toString(statement.executeBatch()));
        } catch (SQLException e) {
            noteError(e);
        }
        end();
        run("batch count", "select count(*), count(b), md5(group_concat(b order by a)) from batched");
        run("batch drop", "drop table batched");
    }

    static void cursor(String driver) throws Exception {
        String more = driver.startsWith("mariadb") ? "&useServerPrepStmts=true" : "&useServerPrepStmts=true&useCursorFetch=true";
        try (Connection own = open(driver, more)) {
            begin("cursor");
            try (PreparedStatement statement = own.prepareStatement("select seq from seq_1_to_1000 where seq > ?")) {
                statement.setFetchSize(100);
                statement.setInt(1, 5);
                noteResults(statement, statement.execute());
            } catch (SQLException e) {
                noteError(e);
            }
            end();
            prepared("server prepared", "select ?, ?, ?", own, 1, "x", new byte[] {0, -1});
        }
    }

    static void database(String step) throws Exception {
        begin(step);
        DatabaseMetaData meta = connection.getMetaData();
        note("product", meta.getDatabaseProductName() + " " + meta.getDatabaseProductVersion() + " " + meta.getDatabaseMajorVersion());
        note("keywords", meta.getSQLKeywords());
        note("isolation", connection.getTransactionIsolation() + " " + connection.getCatalog() + " " + connection.isValid(5));
        List<String> found = new ArrayList<>();
        try (ResultSet rows = meta.getColumns(System.getenv("TG_DATABASE"), null, "types", "%")) {
            while (rows.next()) found.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME") + " " + rows.getInt("COLUMN_SIZE"));
        }
        noteAll("columns", found);
        end();
    }

    static void cancel(String step, boolean byTimeout) throws Exception {
        begin(step);
        try (Statement statement = connection.createStatement()) {
            if (byTimeout) statement.setQueryTimeout(1);
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(300);
                    statement.cancel();
                } catch (Exception e) {
                    System.err.println(e);
                }
            });
            if (!byTimeout) canceller.start();
            noteResults(statement, statement.execute("select sleep(6)"));
            if (!byTimeout) canceller.join();
        } catch (SQLException e) {
            // MySQL's driver reports the error or its own flag, whichever it sees first.
            boolean isOwn = e.getClass().getSimpleName().equals("MySQLStatementCancelledException");
            if (byTimeout) noteError(e);
            else note("cancelled", isOwn || e.getErrorCode() == 1317);
        }
        end();
    }

    static void refused(String driver, String step, String user, String password, String database) {
        begin(step);
        try {
            open(driver, user, password, database, "").close();
        } catch (SQLException e) {
            noteError(e);
        }
        end();
    }

    public static void main(String[] args) throws Exception {
        String driver = args[0], user = System.getenv("TG_USER"), password = System.getenv("TG_PASSWORD");
        connection = open(driver, "");
        if (args[1].equals("login")) {
            connection.close();
            return;
        }
        int number = 0;
        for (String sql : Files.readAllLines(Path.of(args[1]))) {
            if (sql.isEmpty() || sql.startsWith("# ")) continue;
            number++;
            // MariaDB's driver closes a connection whose character set is not UTF-8.
            if (connection.isClosed()) connection = open(driver, "");
            run(number + " " + sql.substring(0, Math.min(60, sql.length())), sql);
        }
        connection.close();
        connection = open(driver, "");
        prepared("parameters", "select ?, ?, ?, ?, ?", connection, 1, 2.5, "\u00e4", new byte[] {0, -1}, null);
        run("large", "select repeat('x', 17000000)");
        batch(driver);
        cursor(driver);
        database("database");
        cancel("query timeout", true);
        cancel("cancel", false);
        run("planted", "select '" + System.getenv("TG_SIDE") + "'");
        refused(driver, "refused password", user, "wrong", System.getenv("TG_DATABASE"));
        refused(driver, "unknown database", user, password, "no_such_database");
        connection.close();
    }
}
