"""SQLAlchemy's pool with idle connections. Arguments: seconds; idle, ping or query; and options of the pool in JSON.

Prints the errors that the application sees.
"""

import json
import os
import sys
import time

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError

CONNECTIONS = 3


def work(engine, what, counts):
    """Uses one connection of the pool, and counts what the application sees."""
    try:
        with engine.connect() as connection:
            if what == "ping":
                connection.connection.ping(reconnect=False)
            else:
                connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        counts[str(error.orig.args[0])] = counts.get(str(error.orig.args[0]), 0) + 1
    except Exception as error:  # what the driver itself raises
        code = str(error.args[0] if error.args else error)
        counts[code] = counts.get(code, 0) + 1


def main():
    seconds = float(sys.argv[1])
    what = sys.argv[2]
    url = URL.create("mysql+pymysql", username=os.environ["TG_USER"], password=os.environ["TG_PASSWORD"],
                     host="127.0.0.1", port=int(os.environ["TG_PORT"]), database="test")
    engine = create_engine(url, pool_size=CONNECTIONS, **json.loads(sys.argv[3]),
                           connect_args={"ssl_ca": os.environ["TG_CA"], "ssl_verify_identity": True})
    held = [engine.connect() for _ in range(CONNECTIONS)]
    for connection in held:
        connection.execute(text("SELECT 1"))
        connection.close()
    print("filled", flush=True)
    counts = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(float(os.environ["TG_EVERY"]))
        if what != "idle":
            work(engine, what, counts)
    # The first request after the idle time.
    work(engine, "query", counts)
    print(json.dumps(counts))


main()
