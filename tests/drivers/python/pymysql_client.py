"""PyMySQL against the endpoint: verified, with a wrong CA, with a wrong host, without TLS. Reads TG_*; exits with 0 only
if each behaves as expected."""

import os
import sys
from importlib.metadata import version

import pymysql


def env(name):
    return os.environ["TG_" + name]


def connect(host, **options):
    login = {"user": env("USER"), "password": env("PASSWORD"), "database": env("DATABASE")}
    return pymysql.connect(host=host, port=int(env("PORT")), **(login | options))


def must_fail_verifying(what, host, ca):
    try:
        connect(host, ssl={"ca": ca}).close()
    except pymysql.err.OperationalError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return
        sys.exit(f"{what} must fail in verification, not: {error}")
    sys.exit(f"{what}: connected")


def check_encryption(connection):
    """SQL names the cipher that Python's TLS library uses."""
    library = connection._sock.cipher()[0]
    with connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE %s", ("Ssl_cipher",))
        assert cursor.fetchone() == ("Ssl_cipher", library), library


def check_required_tls(cursor):
    """An account with REQUIRE SSL logs in, and its connection is like any other."""
    cursor.execute("CREATE OR REPLACE USER secure IDENTIFIED BY 'right' REQUIRE SSL")
    prefix = env("USER").partition(".")[0]
    login = {"user": f"{prefix}.secure", "password": "right", "database": None}
    with connect(env("HOST"), ssl={"ca": env("CA")}, **login) as secure:
        check_encryption(secure)
    cursor.execute("DROP USER secure")


def main():
    print("version", version("PyMySQL"))
    connection = connect(env("HOST"), ssl={"ca": env("CA")})
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 6 * %s", (7,))
        assert cursor.fetchone() == (42,)
        cursor.execute("SELECT %s", ("Grüße 🌊",))
        assert cursor.fetchone() == ("Grüße 🌊",)
        check_encryption(connection)
        check_required_tls(cursor)
    must_fail_verifying("a wrong CA", env("HOST"), env("WRONG_CA"))
    must_fail_verifying("a wrong host", env("WRONG_HOST"), env("CA"))
    try:
        connect(env("HOST"), ssl_disabled=True).close()
        sys.exit("TLS off: connected")
    except pymysql.err.MySQLError as error:
        assert error.args[0] == 3159, error


main()
