"""The settings in which each string is run, and what must come of it. It starts no process."""

from dataclasses import dataclass, field

from . import endpoint


@dataclass(frozen=True)
class Setting:
    name: str
    # For `tidegate connect`.
    options: dict = field(default_factory=dict)
    # The client program's own way of doing the opposite of what the string says.
    off: bool = False
    # Sees the test's CA in the machine's store.
    store: bool = False
    # Which form: the first, the first that has its password in the text, or the seed's.
    form: str = "first"
    # Which word of `verifies` decides whether it may connect; None: it must. "never": it must not.
    refused_if: str | None = None
    # A piece of text that the person must see.
    shows: str | None = None
    # What the log must say of the connection.
    tls: str | None = None
    asleep: bool = False


NAME = {"host": endpoint.HOST, "port": endpoint.PORT}
SYSTEM = {"ca": "system", "os": "debian"}

GIVEN = Setting("given", NAME, tls="TLS 1.3")
IMPOSTOR = Setting("impostor", {"host": endpoint.HOST, "port": endpoint.IMPOSTOR_PORT}, refused_if="chain")

# In the order in which they run: every cluster is asleep at the beginning.
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

# What each further form has to show, in all settings only. Short ones know the machine's store and nothing else.
OTHER_FORMS = [
    Setting("given", NAME | SYSTEM, store=True),
    Setting("impostor", IMPOSTOR.options | SYSTEM, store=True, refused_if="chain"),
    Setting("wrong-name", {"host": endpoint.WRONG_HOST, "port": endpoint.PORT} | SYSTEM, store=True, refused_if="dns_name"),
]

# What script/test does with every client, beside those that it runs in all settings.
FEW = [GIVEN, IMPOSTOR]
IN_ALL = ["mysql", "mycli", "connectorj", "mysqlclient", "go", "node-mysql2", "mariadb", "pymysql", "rust-mysql-async"]
