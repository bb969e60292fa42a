// r2dbc-mysql against the endpoint: verified, with a wrong CA, with a wrong host, without TLS. Reads TG_*; exits
// with 0 only if each behaves as expected.

import io.asyncer.r2dbc.mysql.MySqlConnectionConfiguration;
import io.asyncer.r2dbc.mysql.MySqlConnectionFactory;
import io.asyncer.r2dbc.mysql.constant.SslMode;
import io.r2dbc.spi.R2dbcException;
import java.time.Duration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

public class R2dbc {
    static String env(String name) {
        return System.getenv("TG_" + name);
    }

    static int ask(String host, String ca, SslMode mode) {
        MySqlConnectionConfiguration.Builder b = MySqlConnectionConfiguration.builder()
            .host(host)
            .port(Integer.parseInt(env("PORT")))
            .user(env("USER"))
            .password(env("PASSWORD"))
            .database(env("DATABASE"))
            .connectTimeout(Duration.ofSeconds(15))
            .sslMode(mode);
        if (ca != null) b.sslCa(ca);
        return Mono.from(MySqlConnectionFactory.from(b.build()).create())
            .flatMapMany(c -> Flux.from(c.createStatement("SELECT 6 * ?").bind(0, 7).execute())
                .flatMap(r -> r.map((row, meta) -> ((Number) row.get(0)).intValue()))
                .concatWith(Mono.from(c.close()).then(Mono.empty())))
            .blockLast(Duration.ofSeconds(30));
    }

    static void fail(String text, Throwable error) {
        System.out.println(text);
        if (error != null) error.printStackTrace();
        System.exit(1);
    }

    static void mustFailVerifying(String what, String host, String ca) {
        try {
            ask(host, ca, SslMode.VERIFY_IDENTITY);
        } catch (Throwable error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (cause instanceof java.security.cert.CertificateException
                        || cause instanceof javax.net.ssl.SSLException) return;
            }
            fail(what + " must fail in verification", error);
        }
        fail(what + ": connected", null);
    }

    public static void main(String[] args) {
        System.out.println("version " + System.getProperty("version"));
        int answer = ask(env("HOST"), env("CA"), SslMode.VERIFY_IDENTITY);
        if (answer != 42) fail("6 * 7 is not " + answer, null);
        mustFailVerifying("a wrong CA", env("HOST"), env("WRONG_CA"));
        mustFailVerifying("a wrong host", env("WRONG_HOST"), env("CA"));
        try {
            ask(env("HOST"), null, SslMode.DISABLED);
            fail("TLS off: connected", null);
        } catch (Throwable error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (cause instanceof R2dbcException && ((R2dbcException) cause).getErrorCode() == 3159) System.exit(0);
            }
            fail("3159 was expected", error);
        }
    }
}
