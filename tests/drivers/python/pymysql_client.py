"""PyMySQL against the endpoint: verified, with a wrong CA, with a wrong host, without TLS. Reads TG_*; exits with 0 only
if each behaves as expected."""

import os
import sys
from importlib.metadata import version

import pymysql


def env(name):
    return os.environ["TG_" + name]


def connect(host, **ssl):
    return pymysql.connect(
        host=host,
        port=int(env("PORT")),
        user=env("USER"),
        password=env("PASSWORD"),
        database=env("DATABASE"),
        **ssl,
    )


def must_fail_verifying(what, host, ca):
    try:
        connect(host, ssl={"ca": ca}).close()
    except pymysql.err.OperationalError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return
        sys.exit(f"{what} must fail in verification, not: {error}")
    sys.exit(f"{what}: connected")


def main():
    print("version", version("PyMySQL"))
    connection = connect(env("HOST"), ssl={"ca": env("CA")})
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 6 * %s", (7,))
        assert cursor.fetchone() == (42,)
        cursor.execute("SELECT %s", ("Grüße 🌊",))
        assert cursor.fetchone() == ("Grüße 🌊",)
    must_fail_verifying("a wrong CA", env("HOST"), env("WRONG_CA"))
    must_fail_verifying("a wrong host", env("WRONG_HOST"), env("CA"))
    try:
        connect(env("HOST"), ssl_disabled=True).close()
        sys.exit("TLS off: connected")
    except pymysql.err.MySQLError as error:
        assert error.args[0] == 3159, error


main()
