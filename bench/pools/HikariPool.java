// HikariCP's pool with Connector/J and idle connections. Arguments: seconds, idle or query, and settings of the pool as
// NAME=VALUE. Prints the error codes that the application sees. HikariCP pings by itself (keepaliveTime).

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.SQLException;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;

class HikariPool {
    static void query(HikariDataSource pool, TreeMap<String, Integer> counts) {
        try (var connection = pool.getConnection(); var statement = connection.createStatement()) {
            statement.execute("SELECT 1");
        } catch (SQLException error) {
            counts.merge(error.getErrorCode() == 0 ? String.valueOf(error.getSQLState()) : "" + error.getErrorCode(), 1, Integer::sum);
        }
    }

    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        for (int at = 2; at < arguments.length; at++) {
            var pair = arguments[at].split("=", 2);
            properties.setProperty(pair[0], pair[1]);
        }
        var config = new HikariConfig(properties);
        config.setMaximumPoolSize(3);
        config.setJdbcUrl("jdbc:mysql://127.0.0.1:" + System.getenv("TG_PORT") + "/test?sslMode=VERIFY_IDENTITY"
            + "&trustCertificateKeyStoreUrl=file:" + System.getenv("TG_STORE")
            + "&trustCertificateKeyStoreType=PKCS12&trustCertificateKeyStorePassword=changeit");
        config.setUsername(System.getenv("TG_USER"));
        config.setPassword(System.getenv("TG_PASSWORD"));
        var counts = new TreeMap<String, Integer>();
        try (var pool = new HikariDataSource(config)) {
            query(pool, counts);
            while (pool.getHikariPoolMXBean().getTotalConnections() < Math.min(3, config.getMinimumIdle())) {
                Thread.sleep(100);
            }
            System.out.println("filled");
            var end = System.nanoTime() + (long) (Double.parseDouble(arguments[0]) * 1e9);
            while (System.nanoTime() < end) {
                Thread.sleep((long) (Double.parseDouble(System.getenv("TG_EVERY")) * 1000));
                if (arguments[1].equals("query")) {
                    query(pool, counts);
                }
            }
            // The first request after the idle time.
            query(pool, counts);
        }
        System.out.println(counts.entrySet().stream().map(one -> "\"" + one.getKey() + "\": " + one.getValue())
            .collect(Collectors.joining(", ", "{", "}")));
    }
}
