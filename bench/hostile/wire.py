"""The part of the MySQL protocol that an attacker needs: each step can be left out, cut short or made too large."""

import itertools
import socket
import ssl
import struct

# LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x800 | 0x2000 | 0x8000 | 0x80000
CONNECT_ATTRS = 0x100000
UTF8MB4 = 45
# Longer than any answer that a server gives in time.
PATIENCE_SECONDS = 20
PACKET_MAX = 1 << 24

_addresses = itertools.count(1)


def next_source(network):
    """Returns another loopback address of 127.NETWORK.0.0/16 each time: an attacker with many addresses."""
    n = next(_addresses) % 65000 + 1
    return f"127.{network}.{n >> 8}.{n & 255}"


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # An attacker does not verify the server.
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """A connection that stops at any step of a login."""

    context = tls_context()

    def __init__(self, host, port, source=None):
        source = (source, 0) if source else None
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS, source_address=source)
        self.sequence = 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read_bytes(self, count):
        out = bytearray()
        while len(out) < count:
            got = self.socket.recv(min(count - len(out), 1 << 16))
            if not got:
                raise EOFError("closed")
            out += got
        return bytes(out)

    def read(self):
        head = self.read_bytes(4)
        self.sequence = head[3] + 1 & 255
        return self.read_bytes(int.from_bytes(head[:3], "little"))

    def write(self, body):
        for at in range(0, len(body) + 1, PACKET_MAX - 1):
            part = body[at:at + PACKET_MAX - 1]
            self.socket.sendall(struct.pack("<I", len(part))[:3] + bytes([self.sequence]) + part)
            self.sequence = self.sequence + 1 & 255

    @staticmethod
    def response_head(more=0):
        return struct.pack("<IIB", CAPABILITIES | more, 1 << 24, UTF8MB4) + bytes(23)

    def greeting(self):
        return self.read()

    def start_tls(self):
        self.greeting()
        self.write(self.response_head())
        self.socket = self.context.wrap_socket(self.socket)

    def response(self, user, database="test", more=0):
        """Returns a login without its attributes."""
        return (self.response_head(more) + user.encode() + b"\0" + bytes([32]) + b"x" * 32 + database.encode() + b"\0"
                + b"caching_sha2_password\0")

    def login(self, user, password, database="test"):
        """Returns None after a successful login, else the error's code."""
        self.start_tls()
        self.write(self.response(user, database))
        answer = self.read()
        if answer[:2] == b"\x01\x04":
            self.write(password.encode() + b"\0")
            answer = self.read()
        return error_code(answer)

    def ask(self, sql):
        """Sends a query without waiting for its answer."""
        self.sequence = 0
        self.write(b"\x03" + sql.encode())

    def answer(self):
        """Reads one whole answer. Returns None, or the error's code."""
        first = self.read()
        if first[0] in (0x00, 0xff):
            return error_code(first)
        ends = 0
        while ends < 2:
            packet = self.read()
            if packet[0] == 0xff:
                return error_code(packet)
            ends += packet[0] == 0xfe and len(packet) < 9
        return None

    def query(self, sql):
        self.ask(sql)
        return self.answer()


def attributes(size):
    """Returns connection attributes of about `size` bytes, as a login carries them, with their length before them."""
    one = b"\x05_name\xfc\xe8\x03" + b"a" * 1000
    some = one * (size // len(one))
    return b"\xfd" + struct.pack("<I", len(some))[:3] + some


def error_code(packet):
    return struct.unpack("<H", packet[1:3])[0] if packet[0] == 0xff else None
