#!/usr/bin/env python3
"""Records the bytes of real clients and a real engine as seeds of the fuzz targets. Never used by a test.

    python3 fuzz/capture.py [--python PYTHON_WITH_PYMYSQL] [--mysql MYSQL9] [--go]

Everything runs on loopback in a temporary folder and is stopped at the end: a stub that sends our greeting, terminates
TLS and records the login; and a pipe in front of a temporary mariadbd that records whole sessions. A client that is not
installed is left out with a message. Passwords in the seeds are the word "secret".
"""

import argparse
import contextlib
import pathlib
import select
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
USER, PASSWORD = "abcdefghjkmn.root", "secret"
# The capabilities offered by crates/wire/src/capabilities.rs.
OFFERED = 0x01FFFFDE
# MariaDB's own, which are in the last four bytes of the filler.
MARIADB_OFFERED, CACHE_METADATA, CLIENT_MYSQL = 0x1D, 1 << 4, 1
DEPRECATE_EOF, SESSION_TRACK, TLS = 1 << 24, 1 << 23, 1 << 11
SALT = b"abcdefghijklmnopqrst"
GREETING = (
    b"\x0a5.5.5-10.11.19-MariaDB\0" + struct.pack("<I", 0x80000001) + SALT[:8] + b"\0"
    + struct.pack("<HBHHB", OFFERED & 0xFFFF, 45, 2, OFFERED >> 16, 21) + bytes(6)
    + struct.pack("<I", MARIADB_OFFERED) + SALT[8:] + b"\0mysql_native_password\0"
)
# The signature of a PROXY header, version 2.
V2 = b"\r\n\r\n\0\r\nQUIT\n"
# No seed needs more; longer seeds only slow the fuzzer down.
SEED_MAX = 8192
# A client that has not ended by then hangs.
CLIENT_SECONDS = 20

SESSION = (
    "select 1; create table if not exists test.t (a int, b text); insert into test.t values (1, 'x'), (2, null);"
    " begin; update test.t set b = 'y'; rollback; select * from test.t; set @a = 1; use test; show warnings;"
    " prepare s from 'select ? + 1'; execute s using @a; select nosuch; kill query 4294967295"
)

PYMYSQL = """
import pymysql, sys
how = {"ssl_disabled": True} if sys.argv[2] == "plain" else {"ssl": {"check_hostname": False}, "ssl_verify_cert": False}
c = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[3], password=sys.argv[4],
                    database=sys.argv[5] or None, local_infile=True, autocommit=False, **how)
with c.cursor() as cur:
    cur.execute("select 1 union select 2"); cur.fetchall()
    cur.execute("create table if not exists test.f (a int)")
    cur.execute("load data local infile %s into table test.f", (sys.argv[6],))
    c.commit(); c.ping(); c.select_db("test")
    try: c.kill(4294967295)
    except pymysql.err.Error: pass
c.close()
"""

GO = """
package main
import ("crypto/tls"; "database/sql"; "os"; "github.com/go-sql-driver/mysql")
func main() {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", "127.0.0.1:"+os.Args[1], os.Args[3], os.Args[4], os.Args[5]
	cfg.AllowCleartextPasswords = true
	if os.Args[2] == "tls" { cfg.TLS = &tls.Config{InsecureSkipVerify: true} }
	connector, err := mysql.NewConnector(cfg)
	if err != nil { panic(err) }
	db := sql.OpenDB(connector)
	defer db.Close()
	var n int
	_ = db.QueryRow("select ? + 1", 41).Scan(&n)
	tx, err := db.Begin()
	if err != nil { return }
	_, _ = tx.Exec("insert into test.t values (?, ?)", 3, "z")
	_ = tx.Rollback()
}
"""


def save(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data[:SEED_MAX]
    if all(data != there.read_bytes() for there in folder.iterdir()):
        (folder / name).write_bytes(data)


def by_hand():
    """Writes seeds that no client on this machine sends, from the documents of the protocol."""
    for name, data in {
        "v1-tcp4": b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 4000\r\n",
        "v1-tcp6": b"PROXY TCP6 2001:db8::9 ::1 4711 4000\r\n",
        "v1-unknown": b"PROXY UNKNOWN\r\n",
        "v2-local": V2 + b"\x20\0\0\0",
        "v2-tcp4-tlv": V2 + b"\x21\x11\0\x10\xcb\0\x71\x09\x0a\0\0\x01\x12\x67\x0f\xa0\x04\0\x01\x09",
        "v2-tcp6": V2 + b"\x21\x21\0\x24" + bytes(15) + b"\x09" + bytes(15) + b"\x01\x12\x67\x0f\xa0",
    }.items():
        save("proxy", name, data)
    for name, data in {
        "ctrl-c": b"KILL QUERY 2147483649",
        "plain": b"kill 2147483649;",
        "hard": b"/* app:1 */ KILL HARD CONNECTION 2147483649",
        "soft": b"-- x\n# y\nkill soft query/**/18446744073709551615 ;\n",
        "by-user": b"KILL USER root",
        "by-query-id": b"KILL QUERY ID 7",
        "executable": b"/*!50000 KILL */ 2147483649",
    }.items():
        save("kill", name, data)
    save("greeting", "too-many", b"\xff\x10\x04Too many connections")
    mysql_error = packet(2, b"\xff\x15\x04#28000Access denied for user 'root'@'localhost' (using password: YES)")
    for name, more in {
        "switch": packet(2, b"\xfemysql_native_password\0" + SALT + b"\0") + packet(4, b"\0\0\0\2\0\0\0\0"),
        "old-password": packet(2, b"\xfe"),
        "ed25519": packet(2, b"\xfeclient_ed25519\0" + bytes(32)),
        "denied": mysql_error,
    }.items():
        save("client_login", name, packet(0, GREETING) + more)
    addresses = {"v4": bytes(10) + b"\xff\xff\xcb\0\x71\x09", "v6": bytes.fromhex("20010db8") + bytes(11) + b"\x09"}
    for name, address in addresses.items():
        for i, pattern in enumerate([b"%", b"203.0.113._", b"203.0.113.0/255.255.255.0", b"localhost", b"2001:db8::%"]):
            save("login_name", f"{name}-{i}", address + pattern)
    done = struct.pack("<BH", 1, 4) + b"\x02" * 4
    for name, said in {
        "kill": [packet(0, b"\x03kill query 2147483649"), packet(0, b"\x0c\x01\0\0\x80")],
        "kill-in-pieces": [packet(0, b"\x03/* x */ KILL 2147483649")[:9], packet(0, b"\x03/* x */ KILL 2147483649")[9:]],
        "change-user": [packet(0, b"\x11root\0\0test\0\x2d\0mysql_native_password\0\0"), packet(0, b"\x0e")],
        "cursor": [packet(0, b"\x16select 1\x05"), packet(0, b"\x17\1\0\0\0\1\1\0\0\0"), packet(0, b"\x1c\1\0\0\0\2\0\0\0")],
        "file": [packet(0, b"\x03load data\x04"), packet(2, b"1\n"), packet(3, b""), packet(0, b"\x03begin\x40")],
    }.items():
        script = b"".join(struct.pack("<BH", 0, len(d)) + d + done for d in said)
        save("relay_engine", name, b"\x08" + script)
        save("relay_engine", name + "-with-eof", b"\x09" + script)
    for name, data in {"routed": b"abcdefghjkmn.root", "two-dots": b"abcdefghjkmn.a.b", "none": b"root"}.items():
        save("login_name", name, data)


def packet(seq, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([seq]) + payload


def read_exactly(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_packet(conn):
    head = read_exactly(conn, 4)
    return head + read_exactly(conn, int.from_bytes(head[:3], "little"))


class Listener:
    """Serves one connection after another in a thread, each with `serve(conn, name)`."""

    def __init__(self, serve):
        self.serve, self.name = serve, None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError, EOFError, ssl.SSLError):
                conn.settimeout(CLIENT_SECONDS)
                self.serve(conn, self.name)


def is_unstarted_sha2(login):
    """Whether the client names caching_sha2_password with an empty proof, whose length is behind the user's name."""
    return b"caching_sha2_password" in login and login[36:].split(b"\0", 1)[1][:1] == b"\0"


def stub(context):
    """Runs our half of the connection phase up to the credential, and refuses it."""

    def serve(conn, name):
        conn.sendall(packet(0, GREETING))
        first = read_packet(conn)
        save("first_packet", name, first[4:])
        if len(first) != 36:
            conn.sendall(packet(2, b"\xff\x57\x0c#HY000Connections using insecure transport are prohibited."))
            return
        with context.wrap_socket(conn, server_side=True) as tls:
            login = [read_packet(tls)]
            if is_unstarted_sha2(login[0]):
                tls.sendall(packet(3, b"\xfecaching_sha2_password\0" + SALT + b"\0"))
                login.append(read_packet(tls))
                tls.sendall(packet(5, b"\x01\x04"))
                login.append(read_packet(tls))
            elif b"caching_sha2_password" in login[0]:
                tls.sendall(packet(3, b"\x01\x04"))
                login.append(read_packet(tls))
            elif b"mysql_native_password" not in login[0]:
                tls.sendall(packet(3, b"\xfemysql_native_password\0" + SALT + b"\0"))
                login.append(read_packet(tls))
            save("server_login", name, b"".join(login))
            save("packet_reader", name, b"\x07" + b"".join(login))
            tls.sendall(packet(login[-1][3] + 1, b"\xff\x15\x04#28000Access denied."))

    return serve


def pipe(engine_port):
    """Forwards everything and records which side sent it."""

    def serve(conn, name):
        with socket.create_connection(("127.0.0.1", engine_port)) as engine:
            said, ends = [], {conn: (0, engine), engine: (1, conn)}
            with contextlib.suppress(OSError):
                while True:
                    ready, _, _ = select.select(list(ends), [], [], CLIENT_SECONDS)
                    data = [(side, other, end.recv(65536)) for end in ready for side, other in [ends[end]]]
                    if not data or any(not d for _, _, d in data):
                        break
                    for side, other, d in data:
                        said.append((side, d))
                        other.sendall(d)
            write_session(name, said)

    return serve


def packets_of(stream):
    at = 0
    while at + 4 <= len(stream):
        end = at + 4 + int.from_bytes(stream[at : at + 3], "little")
        yield stream[at:end]
        at = end


def write_session(name, said):
    """Cuts a session where its login ends: the part before is input of the two halves of the connection phase, the
    part after it is a script of the relay."""
    greeting = next(packets_of(said[0][1]))
    save("greeting", "mariadbd", greeting[4:])
    login = next((i for i, (side, _) in enumerate(said) if side == 0), None)
    if login is None:
        return
    asked = said[login][1]
    granted = OFFERED & int.from_bytes(asked[4:8], "little")
    own = not asked[4] & CLIENT_MYSQL and int.from_bytes(asked[32:36], "little") & CACHE_METADATA
    ok = next((i for i, (side, d) in enumerate(said) if side == 1 and i and d[4] == 0), None)
    engine_first = b"".join(d for side, d in said[: (ok or len(said)) + 1] if side == 1)
    save("client_login", name, engine_first)
    if ok is None:
        return
    script = bytes([(0 if granted & DEPRECATE_EOF else 1) | (0 if granted & SESSION_TRACK else 2) | (16 if own else 0)])
    for side, d in said[ok + 1 :]:
        script += struct.pack("<BH", side, len(d)) + d
    save("relay", name, script)
    save("relay_engine", name, script)
    answers, asked = [], False
    for side, d in said[ok + 1 :]:
        if side == 0:
            asked = d[4:5] == b"\x03"
            answers += [b""] if asked else []
        elif asked:
            answers[-1] += d
    # Our administrative connection never asks for a file.
    answers = [answer for answer in answers if answer[4:5] != b"\xfb"]
    for i, answer in enumerate(sorted(set(answers), key=len)[-4:]):
        save("query_result", f"{name}-{i}", bytes([1 if granted & DEPRECATE_EOF else 0]) + answer)


@contextlib.contextmanager
def engine(folder):
    data, sock = folder / "data", folder / "s"
    mine = ["--no-defaults", f"--datadir={data}", "--user=root"]
    subprocess.run(["mariadb-install-db", *mine, "--auth-root-authentication-method=normal"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
    process = subprocess.Popen([server, *mine, f"--socket={sock}", "--bind-address=127.0.0.1", f"--port={port}",
                                "--local-infile=1"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if subprocess.run(["mariadb", "--no-defaults", f"-S{sock}", "-e", f"set password = password('{PASSWORD}')"],
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def clients(options, folder):
    """Returns name and command line of each client; {port} {mode} {user} are filled in later."""
    infile = folder / "infile"
    infile.write_text("1\n2\n")
    yield "mariadb", lambda port, tls, user, db: [
        "mariadb", "--no-defaults", "-f", "-h127.0.0.1", f"-P{port}", f"-u{user}", f"-p{PASSWORD}",
        "--ssl" if tls else "--skip-ssl", "-e", SESSION, *([db] if db else [])]
    if options.mysql:
        plugins = next(pathlib.Path(options.mysql).resolve().parent.glob("**/mysql_native_password.so"), None)
        yield "mysql9", lambda port, tls, user, db: [
            options.mysql, "-f", "-h127.0.0.1", f"-P{port}", f"-u{user}", f"-p{PASSWORD}",
            f"--ssl-mode={'REQUIRED' if tls else 'DISABLED'}",
            *([f"--plugin-dir={plugins.parent}"] if plugins else []), "-e", SESSION, *([db] if db else [])]
    if options.python:
        yield "pymysql", lambda port, tls, user, db: [
            options.python, "-c", PYMYSQL, str(port), "tls" if tls else "plain", user, PASSWORD, db, str(infile)]
    if options.go:
        (folder / "main.go").write_text(GO)
        subprocess.run(["go", "mod", "init", "capture"], cwd=folder, check=True, capture_output=True)
        subprocess.run(["go", "mod", "tidy"], cwd=folder, check=True, capture_output=True)
        subprocess.run(["go", "build", "-o", "goclient", "."], cwd=folder, check=True)
        yield "go", lambda port, tls, user, db: [
            str(folder / "goclient"), str(port), "tls" if tls else "plain", user, PASSWORD, db]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="an interpreter that has PyMySQL")
    parser.add_argument("--mysql", help="Oracle's command-line client")
    parser.add_argument("--go", action="store_true", help="build and record go-sql-driver")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        folder = pathlib.Path(temp)
        cert = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", cert, "-out", folder / "c", "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        cert.write_bytes(cert.read_bytes() + (folder / "c").read_bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
        by_hand()
        save("greeting", "ours", GREETING)
        ours = Listener(stub(context))
        with engine(folder) as engine_port:
            through = Listener(pipe(engine_port))
            for name, command in clients(options, folder):
                for listener, mode, user, db in [
                    (ours, "plain", USER, ""), (ours, "tls", USER, ""), (ours, "tls-db", USER, "test"),
                    (through, "session", "root", ""), (through, "session-db", "root", "test"),
                ]:
                    listener.name = f"{name}-{mode}"
                    run = subprocess.run(command(listener.port, mode.startswith("tls"), user, db), timeout=CLIENT_SECONDS,
                                         capture_output=True)
                    time.sleep(0.2)
                    print(listener.name, run.returncode, run.stderr.decode(errors="replace").strip().splitlines()[-1:])


if __name__ == "__main__":
    main()
