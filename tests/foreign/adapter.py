"""A listener in plaintext in front of a server that requires TLS, for suites whose tests can't use TLS.

It takes TLS out of the greeting, asks the server for TLS itself, and lowers the sequence numbers of the login by one,
because the client has sent no SSL request. Behind the login it only forwards bytes.
"""

import socket
import ssl
import struct
import threading

SSL = 0x800
COMPRESS = 0x20


def receive(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_packet(conn):
    head = receive(conn, 4)
    return head[3], receive(conn, int.from_bytes(head[:3], "little"))


def packet(sequence, body):
    return struct.pack("<I", len(body))[:3] + bytes([sequence & 0xFF]) + body


class Adapter:
    def __init__(self, host, port, prefix=b""):
        self.host, self.port_behind, self.prefix = host, port, prefix
        self.listener = socket.create_server((host, 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = None
        try:
            server = socket.create_connection((self.host, self.port_behind))
            server = self._log_in(client, server)
            if server:
                self._forward(client, server)
        except (OSError, EOFError):
            pass
        finally:
            for conn in (client, server):
                if conn:
                    conn.close()

    def _log_in(self, client, server):
        sequence, greeting = read_packet(server)
        at = greeting.index(0, 1) + 14
        flags = int.from_bytes(greeting[at : at + 2], "little") & ~(SSL | COMPRESS)
        client.sendall(packet(sequence, greeting[:at] + struct.pack("<H", flags) + greeting[at + 2 :]))
        _, login = read_packet(client)
        login = struct.pack("<I", int.from_bytes(login[:4], "little") | SSL) + login[4:32] + self._user(login[32:])
        server.sendall(packet(1, login[:32]))
        server = self.context.wrap_socket(server)
        server.sendall(packet(2, login))
        while True:
            sequence, body = read_packet(server)
            client.sendall(packet(sequence - 1, body))
            if body[:1] in (b"\0", b"\xff"):
                return server if body[:1] == b"\0" else None
            if body[:1] == b"\xfe" or body[1:2] == b"\x04":
                sequence, body = read_packet(client)
                server.sendall(packet(sequence + 1, body))

    def _user(self, rest):
        """Puts the cluster's prefix before the user's name: the suites have names like `root` in their texts."""
        return (self.prefix if rest[:1] != b"\0" else b"") + rest

    def _forward(self, client, server):
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server)
        back.join()

    def _copy(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            try:
                # Ends the other direction too.
                socket.socket.shutdown(target, socket.SHUT_RDWR)
            except OSError:
                pass
