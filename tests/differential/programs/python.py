#!/usr/bin/env python3
"""Python's drivers, through DB-API: python.py pymysql|mysqlclient|connector [login]."""

import datetime
import decimal
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = {name: os.environ[f"TG_{name}"] for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE", "CA", "SIDE")}


def plain(value):
    """Returns a value that JSON can show, with its type where JSON has no such type."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return f"bytes {len(value)} {bytes(value[:80]).hex()}"
    if isinstance(value, (decimal.Decimal, datetime.date, datetime.timedelta, datetime.time, set)):
        return f"{type(value).__name__} {sorted(value) if isinstance(value, set) else value}"
    if isinstance(value, (int, float, bool, type(None))):
        return value
    text = str(value)
    return text if len(text) < 300 else f"str {len(text)} {text[:50]}"


class PyMySQL:
    def __init__(self):
        import pymysql
        from pymysql.constants import CLIENT
        self.library, self.errors = pymysql, (pymysql.Error, UnicodeError, ValueError)
        self.options = {"client_flag": CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS}

    def connect(self, **more):
        return self.library.connect(
            host=ENV["HOST"], port=int(ENV["PORT"]), user=ENV["USER"], password=ENV["PASSWORD"], database=ENV["DATABASE"],
            ssl={"ca": ENV["CA"]}, local_infile=True, **{**self.options, **more})

    def state(self, conn, cursor):
        return {"warnings": cursor.warning_count, "status": getattr(conn._result, "server_status", None)}


class MySQLClient(PyMySQL):
    def __init__(self):
        import MySQLdb
        self.library, self.errors = MySQLdb, (MySQLdb.Error, UnicodeError, ValueError)
        self.options = {"charset": "utf8mb4"}

    def state(self, conn, cursor):
        return {"warnings": conn.warning_count(), "info": (conn.info() or b"").decode() if isinstance(conn.info(), bytes) else conn.info(),
                "fields": conn.field_count()}


class Connector(PyMySQL):
    def __init__(self):
        import mysql.connector
        self.library, self.errors = mysql.connector, (mysql.connector.Error, UnicodeError, ValueError)

    def connect(self, **more):
        return self.library.connect(
            host=ENV["HOST"], port=int(ENV["PORT"]), user=ENV["USER"], password=ENV["PASSWORD"], database=ENV["DATABASE"],
            ssl_ca=ENV["CA"], ssl_verify_cert=True, allow_local_infile=True, use_pure=True, get_warnings=True, **more)

    def state(self, conn, cursor):
        return {"warnings": [list(w) for w in cursor.warnings or []], "in transaction": conn.in_transaction}


DRIVERS = {"pymysql": PyMySQL, "mysqlclient": MySQLClient, "connector": Connector}


class Program:
    def __init__(self, name):
        self.driver = DRIVERS[name]()
        self.conn = self.driver.connect()

    def emit(self, step, **seen):
        print(json.dumps({"step": step, **plain(seen)}), flush=True)

    def error(self, error):
        return [type(error).__name__, *plain(list(error.args))]

    def results(self, cursor):
        """Reads all results of a statement."""
        found = []
        while True:
            rows = cursor.fetchall() if cursor.description else None
            found.append({"columns": cursor.description, "rows": rows, "count": cursor.rowcount, "id": cursor.lastrowid})
            if not getattr(cursor, "nextset", lambda: None)():
                return found

    def run(self, step, function):
        seen = {}
        cursor = self.conn.cursor()
        try:
            function(cursor, seen)
        except self.driver.errors as error:
            seen["error"] = self.error(error)
        try:
            seen["state"] = self.driver.state(self.conn, cursor)
            cursor.close()
        except self.driver.errors as error:
            seen["close"] = self.error(error)
        self.emit(step, **seen)

    def statement(self, number, sql):
        def run(cursor, seen):
            cursor.execute(sql)
            seen["results"] = self.results(cursor)
        self.run(f"{number} {sql[:60]}", run)


def parameters(cursor, seen):
    values = (1, 2.5, "ä😀", b"\x00\xff", None, datetime.date(2026, 11, 30), datetime.datetime(2026, 11, 30, 1, 2, 3, 456),
              datetime.timedelta(hours=30, seconds=5), decimal.Decimal("1.50"), True, "quote ' \\ \" %")
    cursor.execute("select " + ", ".join(["%s"] * len(values)), values)
    seen["rows"], seen["columns"] = cursor.fetchall(), cursor.description


def many(cursor, seen):
    cursor.execute("create temporary table many (a int primary key, b varchar(20))")
    cursor.executemany("insert into many values (%s, %s)", [(i, f"v{i}") for i in range(500)])
    seen["count"] = cursor.rowcount
    cursor.execute("select count(*), md5(group_concat(b order by a)) from many")
    seen["rows"] = cursor.fetchall()
    cursor.executemany("insert into many values (%s, %s)", [(1000, "x"), (1, "again")])


def procedure(cursor, seen):
    seen["arguments"] = cursor.callproc("p_out", (1, 2, ""))
    if hasattr(cursor, "stored_results"):
        seen["results"] = [r.fetchall() for r in cursor.stored_results()]


def infile(cursor, seen):
    cursor.execute("create temporary table loaded (a int, b varchar(20))")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_text("".join(f"{i}\tvalue {i}\n" for i in range(20000)) + "bad\tx\n")
        cursor.execute("set sql_mode = ''")
        cursor.execute(f"load data local infile '{path}' into table loaded (a, b)")
    seen["count"] = cursor.rowcount
    cursor.execute("select count(*), sum(a), max(b) from loaded")
    seen["rows"] = cursor.fetchall()
    cursor.execute("set sql_mode = default")


def prepared(program):
    def run(cursor, seen):
        statement = program.conn.cursor(prepared=True)
        statement.execute("select %s + 1, %s", (41, "ä"))
        seen["first"] = statement.fetchall()
        statement.execute("select %s + 1, %s", (1, "b"))
        seen["second"], seen["columns"] = statement.fetchall(), statement.description
        statement.execute("select * from types order by i")
        seen["types"] = statement.fetchall()
        statement.close()
    return run


def connection(program):
    """What the connection itself tells and does."""
    conn, seen = program.conn, {}
    for name, call in {
        "server": lambda: (getattr(conn, "server_version", None) or conn.get_server_info()),
        "ping": conn.ping, "autocommit": lambda: conn.autocommit(True) if callable(conn.autocommit) else conn.autocommit,
        "begin": lambda: getattr(conn, "begin", getattr(conn, "start_transaction", None))(), "commit": conn.commit,
        "rollback": conn.rollback, "charset": lambda: getattr(conn, "character_set_name", lambda: conn.charset)(),
        "select_db": lambda: conn.select_db("information_schema") if hasattr(conn, "select_db") else None,
        "back": lambda: conn.select_db(ENV["DATABASE"]) if hasattr(conn, "select_db") else None,
        "reset": lambda: conn.cmd_reset_connection() if hasattr(conn, "cmd_reset_connection") else None,
        "warnings": lambda: conn.show_warnings() if hasattr(conn, "show_warnings") else None,
        "kill": lambda: conn.kill(4000000000) if hasattr(conn, "kill") else None,
    }.items():
        try:
            seen[name] = str(call())
        except program.driver.errors as error:
            seen[name] = program.error(error)
    return seen


def change_user(program):
    """Changes to the same user, as pools do: mysqlclient and Connector/Python have a call for it."""
    conn = program.conn
    login = (ENV["USER"], ENV["PASSWORD"], ENV["DATABASE"])
    cursor = conn.cursor()
    cursor.execute("set @who = 'alice', sql_mode = 'ANSI'")
    cursor.close()
    if hasattr(conn, "cmd_change_user"):
        conn.cmd_change_user(*login)
    elif hasattr(conn, "change_user"):
        conn.change_user(*login)
    else:
        return
    program.statement("after change_user", "select @who, @@sql_mode, database(), @@collation_connection, @@autocommit")
    if hasattr(conn, "reset_session"):
        conn.reset_session({"who": "bob"})
        program.statement("after reset_session", "select @who, @@sql_mode")


def main():
    name = sys.argv[1]
    if sys.argv[2:] == ["login"]:
        DRIVERS[name]().connect().close()
        return
    program = Program(name)
    lines = (HERE.parent / "statements.txt").read_text().splitlines()
    for number, sql in enumerate((line for line in lines if line and not line.startswith("# ")), 1):
        program.statement(number, sql)
    for step in (parameters, many, procedure, infile):
        program.run(step.__name__, step)
    if name == "connector":
        program.run("prepared", prepared(program))
    program.emit("connection", **connection(program))
    change_user(program)
    program.statement("large", "select repeat('x', 17000000)")
    program.statement("long", "select length('" + "y" * 17000000 + "')")
    program.run("planted", lambda cursor, seen: (cursor.execute(f"select '{ENV['SIDE']}'"), seen.update(rows=cursor.fetchall())))
    for key, value in (("PASSWORD", "wrong"), ("DATABASE", "no_such_database"), ("USER", ENV["USER"] + "x")):
        own = ENV[key]
        ENV[key] = value
        try:
            program.driver.connect().close()
            program.emit(f"refused {key}", connected=True)
        except program.driver.errors as error:
            program.emit(f"refused {key}", error=program.error(error))
        ENV[key] = own
    program.conn.close()


if __name__ == "__main__":
    main()
