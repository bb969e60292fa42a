"""SQLAlchemy's pool against the endpoint, through several sleeps of the cluster: with pre-ping the next query always
succeeds. It reads TG_*."""

import os
import subprocess
import sys

import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import URL


def env(name):
    return os.environ["TG_" + name]


def engine(host, ca):
    url = URL.create(
        "mysql+pymysql",
        username=env("USER"),
        password=env("PASSWORD"),
        host=host,
        port=int(env("PORT")),
        database=env("DATABASE"),
        query={"ssl_ca": ca},
    )
    return sqlalchemy.create_engine(url, pool_pre_ping=True, pool_size=4)


def must_fail_verifying(what, host, ca):
    try:
        engine(host, ca).connect().close()
    except sqlalchemy.exc.OperationalError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return
        sys.exit(f"{what} must fail in verification, not: {error}")
    sys.exit(f"{what}: connected")


def main():
    print("version", sqlalchemy.__version__)
    must_fail_verifying("a wrong CA", env("HOST"), env("WRONG_CA"))
    must_fail_verifying("a wrong host", env("WRONG_HOST"), env("CA"))
    pool = engine(env("HOST"), env("CA"))
    taken = [pool.connect() for _ in range(4)]
    for connection in taken:
        assert connection.execute(text("SELECT 6 * :n"), {"n": 7}).scalar() == 42
    for connection in taken:
        connection.close()
    for _ in range(3 if os.environ.get("TG_SLEEP") else 0):
        subprocess.run(env("SLEEP"), shell=True, check=True)
        with pool.connect() as connection:
            assert connection.execute(text("SELECT 6 * :n"), {"n": 7}).scalar() == 42


main()
