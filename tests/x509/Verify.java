import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Asks Java's PKIX whether a MySQL endpoint is who it says it is: it reads the greeting, asks for TLS, and shakes
 * hands with CA as the only root and the name checked. It never logs in.
 *
 * <p>Usage: java Verify.java CA HOST PORT [NAME]     NAME is what the certificate must carry, HOST if left out
 */
public final class Verify {
    /** The client's side of a handshake may take this long: the CI machine has two busy cores. */
    private static final int PATIENCE_MS = 20_000;

    private Verify() {}

    public static void main(String[] args) {
        if (args.length < 3) {
            System.err.println("usage: Verify CA HOST PORT [NAME]");
            System.exit(2);
        }
        String name = args.length > 3 ? args[3] : args[1];
        try {
            System.out.println("java: verified " + name + ", " + verify(args[0], args[1], Integer.parseInt(args[2]), name));
        } catch (Exception error) {
            System.err.println("java: " + error);
            System.exit(1);
        }
    }

    private static String verify(String ca, String host, int port, String name) throws Exception {
        try (Socket plain = new Socket()) {
            plain.connect(new InetSocketAddress(host, port), PATIENCE_MS);
            plain.setSoTimeout(PATIENCE_MS);
            askForTls(plain);
            SSLSocket secured = (SSLSocket) trusting(ca).getSocketFactory().createSocket(plain, name, port, true);
            SSLParameters parameters = secured.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
            secured.setSSLParameters(parameters);
            secured.startHandshake();
            return secured.getSession().getProtocol();
        }
    }

    private static SSLContext trusting(String ca) throws Exception {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        try (InputStream file = new FileInputStream(ca)) {
            int number = 0;
            for (Certificate root : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                roots.setCertificateEntry("root" + number++, root);
            }
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** Reads the greeting and sends an SSLRequest. */
    private static void askForTls(Socket plain) throws Exception {
        DataInputStream in = new DataInputStream(plain.getInputStream());
        int length = in.readUnsignedByte() | in.readUnsignedByte() << 8 | in.readUnsignedByte() << 16;
        in.readFully(new byte[length + 1]);
        ByteBuffer request = ByteBuffer.allocate(36).order(ByteOrder.LITTLE_ENDIAN);
        // 32 bytes, sequence 1; LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH.
        request.putInt(32 | 1 << 24).putInt(1 | 1 << 9 | 1 << 11 | 1 << 15 | 1 << 19).putInt(1 << 24).put((byte) 45);
        plain.getOutputStream().write(request.array());
    }
}
