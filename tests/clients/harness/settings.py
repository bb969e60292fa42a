"""The settings in which each string is run, with the expected results. Starts no process."""

from dataclasses import dataclass, field

from . import endpoint


@dataclass(frozen=True)
class Setting:
    name: str
    # Options of `tidegate connect`.
    options: dict = field(default_factory=dict)
    # The test program turns TLS off, against the string.
    off: bool = False
    # The test's CA is in the machine's store.
    store: bool = False
    # Form to run: the first one, the first one with the password in its text (literal), or the one of seed.txt.
    form: str = "first"
    # The key of `verifies` that decides whether the client must refuse. None: it must connect. "never": it must not.
    refused_if: str | None = None
    # A text that the client must show.
    shows: str | None = None
    # The TLS version that the server's log must show.
    tls: str | None = None
    asleep: bool = False


NAME = {"host": endpoint.HOST, "port": endpoint.PORT}
SYSTEM = {"ca": "system", "os": "debian"}

GIVEN = Setting("given", NAME, tls="TLS 1.3")
IMPOSTOR = Setting("impostor", {"host": endpoint.HOST, "port": endpoint.IMPOSTOR_PORT}, refused_if="chain")

# In this order: every cluster is asleep at the beginning.
ALL = [
    Setting("asleep", NAME, asleep=True),
    GIVEN,
    Setting("literal", NAME, form="literal"),
    Setting("address", {"host": endpoint.ADDRESS, "port": endpoint.PORT}),
    Setting("tls12", {"host": endpoint.HOST, "port": endpoint.TLS12_PORT}, tls="TLS 1.2"),
    Setting("tls13", NAME | {"tls": "1.3"}, tls="TLS 1.3"),
    Setting("only-tls12", {"host": endpoint.HOST, "port": endpoint.TLS12_PORT, "tls": "1.3"}, refused_if="never"),
    IMPOSTOR,
    Setting("wrong-name", {"host": endpoint.WRONG_HOST, "port": endpoint.PORT}, refused_if="dns_name"),
    Setting("wrong-address", {"host": endpoint.WRONG_ADDRESS, "port": endpoint.PORT}, refused_if="address"),
    Setting("no-tls-offered", {"host": endpoint.HOST, "port": endpoint.BARE_PORT}, refused_if="never"),
    Setting("off", NAME, off=True, refused_if="never", shows="insecure transport"),
    Setting("public", NAME | SYSTEM, store=True),
    Setting("public-without", NAME | SYSTEM, refused_if="never"),
    Setting("seed", NAME | SYSTEM, store=True, form="seed"),
]

# Settings of all other forms, with --all only. Short forms use the machine's store and nothing else.
OTHER_FORMS = [
    Setting("given", NAME | SYSTEM, store=True),
    Setting("impostor", IMPOSTOR.options | SYSTEM, store=True, refused_if="chain"),
    Setting("wrong-name", {"host": endpoint.WRONG_HOST, "port": endpoint.PORT} | SYSTEM, store=True, refused_if="dns_name"),
]

# Settings of each client in script/test, except for the clients that it runs in all settings.
FEW = [GIVEN, IMPOSTOR]
IN_ALL = ["mysql", "mycli", "connectorj", "mysqlclient", "go", "node-mysql2", "mariadb", "pymysql", "rust-mysql-async"]
