// MariaDB's Connector/J against the endpoint: the time limit of a statement, and cancel() from another thread. Reads TG_*;
// exits with 0 only if the engine ends both statements long before they would end.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

public class Cancel {
    // Seconds that the statements would take: a KILL that reaches no session shows as a result, not as an error.
    static final int LONG = 60;

    static String env(String name) {
        return System.getenv("TG_" + name);
    }

    static Connection connect() throws SQLException {
        Properties p = new Properties();
        p.put("user", env("USER"));
        p.put("password", env("PASSWORD"));
        p.put("sslMode", "verify-full");
        p.put("serverSslCert", env("CA"));
        return DriverManager.getConnection("jdbc:mariadb://" + env("HOST") + ":" + env("PORT") + "/" + env("DATABASE"), p);
    }

    static void fail(String text) {
        System.out.println(text);
        System.exit(1);
    }

    // Runs a statement that takes very long, and returns the code of its error.
    static int codeOf(Statement statement) throws SQLException {
        try {
            statement.executeQuery("SELECT SLEEP(" + LONG + ")").close();
        } catch (SQLException error) {
            return error.getErrorCode();
        }
        fail("the statement ran to its end");
        return 0;
    }

    // The driver ends the statement by its own clock with KILL (1317), or by the engine's (1969).
    static void timeout() throws SQLException {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            System.out.println("version " + connection.getMetaData().getDriverVersion());
            statement.setQueryTimeout(1);
            int code = codeOf(statement);
            if (code != 1317 && code != 1969) fail("the time limit gave " + code);
            statement.setQueryTimeout(0);
            statement.executeQuery("SELECT 1").close();
        }
    }

    static void cancel() throws Exception {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            // One that comes before the statement has begun does nothing.
            Thread canceller = new Thread(() -> {
                try {
                    while (true) {
                        TimeUnit.MILLISECONDS.sleep(500);
                        statement.cancel();
                    }
                } catch (InterruptedException over) {
                    // The statement has ended.
                } catch (SQLException error) {
                    error.printStackTrace();
                    fail("cancel failed");
                }
            });
            canceller.start();
            int code = codeOf(statement);
            canceller.interrupt();
            canceller.join();
            if (code != 1317) fail("cancel gave " + code);
        }
    }

    public static void main(String[] args) throws Exception {
        timeout();
        cancel();
        System.exit(0);
    }
}
