// Connector/J of any version against the endpoint: verified, with a wrong CA, with a wrong host, without TLS. Reads
// TG_*; exits with 0 only if each behaves as expected.

import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;

public class Jdbc {
    static int major;

    static String env(String name) {
        return System.getenv("TG_" + name);
    }

    static Connection connect(String host, String store, boolean tls) throws SQLException {
        Properties p = new Properties();
        p.put("user", env("USER"));
        p.put("password", env("PASSWORD"));
        p.put("connectTimeout", "15000");
        if (major == 5) {
            // 5.1 checks the chain and nothing more.
            p.put("useSSL", String.valueOf(tls));
            p.put("requireSSL", String.valueOf(tls));
            p.put("verifyServerCertificate", String.valueOf(tls));
            // It would offer TLS 1.1 at most to a MariaDB server.
            p.put("enabledTLSProtocols", "TLSv1.2");
        } else {
            p.put("sslMode", tls ? "VERIFY_IDENTITY" : "DISABLED");
        }
        if (tls) {
            p.put("trustCertificateKeyStoreUrl", "file:" + store);
            p.put("trustCertificateKeyStoreType", "PKCS12");
            p.put("trustCertificateKeyStorePassword", "changeit");
        }
        return DriverManager.getConnection("jdbc:mysql://" + host + ":" + env("PORT") + "/" + env("DATABASE"), p);
    }

    static boolean fromVerification(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof java.security.cert.CertificateException
                    || cause instanceof javax.net.ssl.SSLHandshakeException
                    || String.valueOf(cause.getMessage()).contains("identity")) {
                return true;
            }
        }
        return false;
    }

    static void mustFailVerifying(String what, String host, String store) {
        try (Connection c = connect(host, store, true)) {
            fail(what + ": connected");
        } catch (SQLException error) {
            if (!fromVerification(error)) {
                error.printStackTrace();
                fail(what + " must fail in verification");
            }
        }
    }

    static void fail(String text) {
        System.out.println(text);
        System.exit(1);
    }

    public static void main(String[] args) throws Exception {
        Class.forName(System.getProperty("driver"));
        Driver driver = DriverManager.getDriver("jdbc:mysql://x/");
        major = driver.getMajorVersion();
        try (Connection c = connect(env("HOST"), env("STORE"), true)) {
            System.out.println("version " + c.getMetaData().getDriverVersion().split(" ")[0].replaceAll("^[a-z-]*", ""));
            try (PreparedStatement s = c.prepareStatement("SELECT 6 * ?")) {
                s.setInt(1, 7);
                try (ResultSet r = s.executeQuery()) {
                    if (!r.next() || r.getInt(1) != 42) fail("6 * 7 is not 42");
                }
            }
            // These two ask for the server variable whose name MySQL and MariaDB do not share.
            c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
            if (c.getTransactionIsolation() != Connection.TRANSACTION_READ_COMMITTED) fail("isolation");
            c.setAutoCommit(false);
            c.createStatement().executeQuery("SELECT 1").close();
            c.rollback();
        }
        mustFailVerifying("a wrong CA", env("HOST"), env("WRONG_STORE"));
        if (major > 5) mustFailVerifying("a wrong host", env("WRONG_HOST"), env("STORE"));
        try (Connection c = connect(env("HOST"), null, false)) {
            fail("TLS off: connected");
        } catch (SQLException error) {
            if (error.getErrorCode() != 3159) {
                error.printStackTrace();
                fail("3159 was expected, not " + error.getErrorCode());
            }
        }
    }
}
