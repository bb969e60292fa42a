"""A client that shows every packet as it came: framing, lengths, sequence numbers, bytes."""

import hashlib
import os
import socket
import ssl
import struct

MYSQL, FOUND_ROWS, LONG_FLAG, WITH_DB, COMPRESS, LOCAL_FILES = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 7
PROTOCOL_41, SSL, TRANSACTIONS, SECURE = 1 << 9, 1 << 11, 1 << 13, 1 << 15
MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH = 1 << 16, 1 << 17, 1 << 18, 1 << 19
ATTRIBUTES, LENENC_AUTH, EXPIRED, SESSION_TRACK, DEPRECATE_EOF = 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24
PROGRESS, BULK, EXTENDED_METADATA, CACHE_METADATA = 1 << 32, 1 << 34, 1 << 35, 1 << 36
PLAIN = (
    LONG_FLAG | LOCAL_FILES | PROTOCOL_41 | SSL | TRANSACTIONS | SECURE | MULTI_STATEMENTS | MULTI_RESULTS
    | PS_MULTI_RESULTS | PLUGIN_AUTH
)
# Capabilities that the families of clients ask for.
FAMILIES = {
    "old": PLAIN | MYSQL,
    "mysql": PLAIN | MYSQL | SESSION_TRACK | DEPRECATE_EOF | EXPIRED,
    "mariadb": PLAIN | SESSION_TRACK | DEPRECATE_EOF | BULK | EXTENDED_METADATA | CACHE_METADATA | EXPIRED,
}
FRAME_MAX = 0xFFFFFF
# A longer packet is shown by its length and digest.
SHOWN_BYTES = 600
# A server that does not answer within this time hangs.
ANSWER_SECONDS = 60
MORE_RESULTS, CURSOR_EXISTS, STATE_CHANGED = 0x8, 0x40, 0x4000


def shown(sequence, body):
    if len(body) <= SHOWN_BYTES:
        return f"{sequence:02x} {body.hex()}"
    return f"{sequence:02x} {body[:32].hex()} {len(body)} bytes {hashlib.sha256(body).hexdigest()[:16]}"


def lenenc(body, at):
    first = body[at]
    for mark, size in ((0xFC, 2), (0xFD, 3), (0xFE, 8)):
        if first == mark:
            return int.from_bytes(body[at + 1 : at + 1 + size], "little"), at + 1 + size
    return first, at + 1


def lenenc_bytes(data):
    n = len(data)
    if n < 0xFB:
        return bytes([n]) + data
    return (b"\xfc" + struct.pack("<H", n) if n < 1 << 16 else b"\xfd" + struct.pack("<I", n)[:3]) + data


def sorted_state(body):
    """Sorts the changed variables in the OK of an answer: the engine reports several in the order of their addresses."""
    if body[:1] not in (b"\0", b"\xfe") or len(body) > SHOWN_BYTES:
        return body
    try:
        _, at = lenenc(body, 1)
        _, at = lenenc(body, at)
        if not int.from_bytes(body[at : at + 2], "little") & STATE_CHANGED:
            return body
        text_bytes, at = lenenc(body, at + 4)
        length, at = lenenc(body, at + text_bytes)
        entries, end = [], at + length
        start = at
        while at < end:
            size, data = lenenc(body, at + 1)
            entries.append(body[at : data + size])
            at = data + size
        return body[:start] + b"".join(sorted(entries)) + body[end:]
    except IndexError:
        return body


def scramble(password, salt):
    if not password:
        return b""
    first = hashlib.sha1(password).digest()
    second = hashlib.sha1(salt + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, second))


class Conn:
    """A connection. `log` has every packet received since it was last taken."""

    def __init__(self, caps=FAMILIES["mysql"], user=None, password=None, database=None, collation=45, attributes=None,
                 login=True, plugin=b"mysql_native_password", token=None, tls=True):
        self.caps, self.log, self.closed = caps, [], False
        self.user = os.environ["TG_USER"].encode() if user is None else user
        self.password = os.environ["TG_PASSWORD"].encode() if password is None else password
        self.database = os.environ["TG_DATABASE"].encode() if database is None else database
        self.sock = socket.create_connection((os.environ["TG_HOST"], int(os.environ["TG_PORT"])), ANSWER_SECONDS)
        self.greeting = self.read()[1]
        self.log.clear()
        if login:
            self.log_in(collation, attributes, plugin, token, tls)

    def log_in(self, collation=45, attributes=None, plugin=b"mysql_native_password", token=None, tls=True):
        at = self.greeting.index(0, 1) + 1
        self.id = struct.unpack_from("<I", self.greeting, at)[0]
        self.salt = self.greeting[at + 4 : at + 12] + self.greeting[at + 31 : at + 43]
        caps = self.caps | (WITH_DB if self.database else 0) | (ATTRIBUTES if attributes is not None else 0)
        self.caps = caps if tls else caps & ~SSL
        head = struct.pack("<IIB19xI", self.caps & 0xFFFFFFFF, 1 << 24, collation & 0xFF, self.caps >> 32)
        sequence = 1
        if tls:
            self.write(head, 1)
            context = ssl.create_default_context(cafile=os.environ["TG_CA"])
            self.sock = context.wrap_socket(self.sock, server_hostname=os.environ["TG_HOST"])
            sequence = 2
        token = scramble(self.password, self.salt) if token is None else token
        body = head + self.user + b"\0" + bytes([len(token)]) + token
        body += (self.database + b"\0" if self.database else b"") + plugin + b"\0"
        self.write(body + (attributes if attributes is not None else b""), sequence)
        self.login = self.read()[1]

    def _receive(self, n):
        parts, left = [], n
        while left:
            try:
                part = self.sock.recv(min(left, 1 << 20))
            except (ConnectionError, ssl.SSLError, ssl.SSLEOFError):
                part = b""
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def frame(self):
        head = self._receive(4)
        body = self._receive(int.from_bytes(head[:3], "little"))
        self.log.append(shown(head[3], sorted_state(body)))
        return head[3], body

    def read(self):
        """Reads a packet, which may be several frames. Raises EOFError at the end, which is logged."""
        try:
            sequence, body = self.frame()
            whole, last = [body], body
            while len(last) == FRAME_MAX:
                _, last = self.frame()
                whole.append(last)
            return sequence, b"".join(whole)
        except EOFError:
            if not self.closed:
                self.log.append("closed")
            self.closed = True
            raise

    def write(self, body, sequence=0):
        out, at = [], 0
        while True:
            part = body[at : at + FRAME_MAX]
            out += [struct.pack("<I", len(part))[:3], bytes([sequence & 0xFF]), part]
            at, sequence = at + len(part), sequence + 1
            if len(part) < FRAME_MAX:
                break
        try:
            self.sock.sendall(b"".join(out))
        except OSError:
            # Its answer may be there to be read all the same.
            pass

    def taken(self):
        log, self.log = self.log, []
        return log

    # --- commands, and reading their answers to the end ---

    def ask(self, body, kind="query"):
        self.write(body)
        return self.answer(kind)

    def query(self, sql, kind="query"):
        return self.ask(b"\x03" + (sql if isinstance(sql, bytes) else sql.encode()), kind)

    def change_user(self, user, password, database=None, collation=45, plugin=b"mysql_native_password", attributes=b""):
        """Changes the user, as libraries do: with an empty proof, and one for the salt of the switch."""
        database = self.database if database is None else database
        body = b"\x11" + user + b"\0\0" + database + b"\0" + struct.pack("<H", collation) + plugin + b"\0" + attributes
        try:
            self.write(body)
            sequence, switch = self.read()
            if switch[:1] == b"\xfe":
                at = switch.index(0, 1) + 1
                # The salt is random.
                self.log[-1] = shown(sequence, switch[:at])
                self.write(scramble(password, switch[at : at + 20]), sequence + 1)
                self.read()
        except EOFError:
            pass

    def answer(self, kind="query"):
        """Reads one answer and returns its first packet; b"" if the connection has ended."""
        try:
            return getattr(self, f"_{kind}")()
        except EOFError:
            return b""

    def _packet(self):
        return self.read()[1]

    def _nothing(self):
        return b""

    def status_of_ok(self, body):
        _, at = lenenc(body, 1)
        _, at = lenenc(body, at)
        return int.from_bytes(body[at : at + 2], "little")

    def _is_end(self, body):
        """Whether a packet ends rows: EOF, or with DEPRECATE_EOF an OK that begins with its byte."""
        if self.caps & DEPRECATE_EOF:
            return body[0] == 0xFE and len(body) < FRAME_MAX
        return body[0] == 0xFE and len(body) < 9

    def _end_status(self, body):
        if self.caps & DEPRECATE_EOF and len(body) != 5:
            return self.status_of_ok(body)
        return int.from_bytes(body[3:5], "little")

    def _rows(self):
        while True:
            body = self.read()[1]
            if not body:
                continue
            if body[0] == 0xFF:
                return 0
            if self._is_end(body):
                return self._end_status(body)

    def _one_result(self):
        body = self.read()[1]
        while body[:3] == b"\xff\xff\xff":
            body = self.read()[1]
        if not body or body[0] == 0xFF:
            return body, 0
        if body[0] == 0:
            return body, self.status_of_ok(body)
        if body[0] == 0xFE:
            return body, 0
        if body[0] == 0xFB:
            return body, None
        columns, at = lenenc(body, 0)
        if not self.caps & CACHE_METADATA or body[at]:
            for _ in range(columns):
                self.read()
        # MariaDB sends the status of a cursor in a separate EOF, also where EOF is deprecated.
        if not self.caps & DEPRECATE_EOF:
            status = self._end_status(self.read()[1])
            if status & CURSOR_EXISTS:
                return body, status
        return body, self._rows()

    def _query(self):
        first, status = self._one_result()
        if status is None:
            return first
        while status & MORE_RESULTS:
            _, status = self._one_result()
        return first

    def _prepare(self):
        body = self.read()[1]
        if body[0] != 0:
            return body
        columns, parameters = struct.unpack_from("<HH", body, 5)
        for count in (parameters, columns):
            for _ in range(count):
                self.read()
            if count and not self.caps & DEPRECATE_EOF:
                self.read()
        return body

    def _fields(self):
        while True:
            body = self.read()[1]
            if body[0] == 0xFF or (body[0] == 0xFE and len(body) < 20):
                return body

    def _fetch(self):
        self._rows()
        return b""

    def prepare(self, sql):
        """Returns the statement's id, or None if it was refused."""
        body = self.ask(b"\x16" + (sql if isinstance(sql, bytes) else sql.encode()), "prepare")
        return struct.unpack_from("<I", body, 1)[0] if body[:1] == b"\0" else None

    def execute(self, statement, values=(), flags=0, types=True, kind="query"):
        """Runs a prepared statement. A value is (type, bytes as sent), None, or ... for data that was sent before."""
        body = b"\x17" + struct.pack("<IBI", statement, flags, 1)
        if values:
            nulls = bytearray((len(values) + 7) // 8)
            for i, value in enumerate(values):
                if value is None:
                    nulls[i // 8] |= 1 << i % 8
            body += bytes(nulls) + (b"\1" if types else b"\0")
            if types:
                body += b"".join(
                    struct.pack("<H", 6 if v is None else 252 if v is ... else v[0]) for v in values)
            body += b"".join(v[1] for v in values if v is not None and v is not ...)
        return self.ask(body, kind)

    def file(self, *parts):
        """Answers a request for a local file with these packets."""
        sequence = 2
        for part in (*parts, b""):
            self.write(part, sequence)
            sequence += len(part) // FRAME_MAX + 1
        return self.answer()

    def quit(self):
        self.write(b"\x01")
        self.ended()

    def ended(self):
        """Reads what is left up to the end of the connection."""
        try:
            while True:
                self.read()
        except EOFError:
            pass
        self.sock.close()


def text(value):
    """A string as a value of `execute`."""
    data = value if isinstance(value, bytes) else value.encode()
    return 253, lenenc_bytes(data)


def number(value):
    return 8, struct.pack("<q", value)
