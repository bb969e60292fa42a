"""More clusters than fit on a page, and more sessions, made without their engines' cost."""

import hashlib
import socket
import sqlite3
import ssl
import struct

# Flags of the MySQL protocol: long passwords, protocol 4.1, TLS, transactions, secure connection, named plugins.
CAPABILITIES = 0x1 | 0x200 | 0x800 | 0x2000 | 0x8000 | 0x80000
NATIVE = b"mysql_native_password"


def prefix_of(number):
    """A prefix for logins. It has no 0 and no 1, which look like letters."""
    return "x" + "".join("23456789ab"[int(digit)] for digit in f"{number:011}")


def copy_rows(store, like, names):
    """Adds clusters to the store of a stopped server: copies of the records of one, without files. They sleep."""
    with sqlite3.connect(store) as db:
        db.row_factory = sqlite3.Row

        def rows(table, key):
            return [dict(row) for row in db.execute(f"SELECT * FROM {table} WHERE {key} = ?", [number])]

        def insert(table, row):
            marks = ", ".join("?" * len(row))
            db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

        number = db.execute("SELECT id FROM clusters WHERE name_taken = ?", [like]).fetchone()[0]
        of_cluster = {table: rows(table, "cluster") for table in ["books", "book_parts", "runs", "system_users"]}
        of_cluster["clusters"] = rows("clusters", "id")
        for at, name in enumerate(names, 1):
            own = {"id": number + at, "cluster": number + at, "name": name, "name_taken": name, "prefix": prefix_of(at)}
            for table, found in of_cluster.items():
                for row in found:
                    changed = {field: own.get(field, value) for field, value in row.items()}
                    if "uid" in changed:
                        changed["uid"] += at
                    insert(table, changed)
    db.close()


def scramble(password, salt):
    first = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, mask))


class Session:
    """A session that only logs in and stays open."""

    def __init__(self, port, ca, user, password):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=60)
        greeting = self.read()
        # Protocol version, server version, connection id; then the two parts of the salt.
        rest = greeting[greeting.index(b"\0", 1) + 5 :]
        salt = rest[:8] + rest[27:39]
        head = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, 45)
        self.write(1, head)
        context = ssl.create_default_context(cafile=ca)
        self.stream = context.wrap_socket(self.stream, server_hostname="127.0.0.1")
        login = user.encode() + b"\0" + bytes([20]) + scramble(password, salt) + NATIVE + b"\0"
        self.write(2, head + login)
        answer = self.read()
        if answer[0] == 0xFE:
            salt = answer[answer.index(b"\0") + 1 :][:20]
            self.write(self.sequence + 1, scramble(password, salt))
            answer = self.read()
        if answer[0] != 0:
            raise RuntimeError(f"{user} was refused: {answer!r}")

    def exactly(self, size):
        out = b""
        while len(out) < size:
            piece = self.stream.recv(size - len(out))
            if not piece:
                raise RuntimeError("the connection was closed")
            out += piece
        return out

    def read(self):
        head = self.exactly(4)
        self.sequence = head[3]
        return self.exactly(int.from_bytes(head[:3], "little"))

    def write(self, sequence, packet):
        self.stream.sendall(len(packet).to_bytes(3, "little") + bytes([sequence]) + packet)

    def close(self):
        self.stream.close()
