#!/usr/bin/env python3
"""Raw packets: each step on a new connection, for each family of clients. Prints every packet that came back."""

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from wire import (  # noqa: E402
    FAMILIES, FOUND_ROWS, FRAME_MAX, LOCAL_FILES, MULTI_STATEMENTS, Conn, lenenc_bytes, number, scramble, shown, text,
)

STEPS = []
# A KILL or an end of a session needs a moment; the step reads until the thing itself is there.
POLL_SECONDS = 0.02
POLL_MAX = 3000
# A value whose packets pass the borders of frames; with the gateway's limit of max_allowed_packet they fit.
BIG = FRAME_MAX
# Steps that take most of the time. For them two families are enough: one with EOF packets, one without.
HEAVY = ("big_", "packet_over_limit", "many_parameters", "first_column")


def step(function):
    STEPS.append(function)
    return function


def emit(name, **seen):
    print(json.dumps({"step": name, **seen}), flush=True)


def digits_hidden(packets):
    """Hides what two servers never have in common: times and numbers of a status line."""
    return [re.sub(r"\d+", "#", bytes.fromhex(p.split(" ")[1]).decode("latin1")) if " " in p else p for p in packets]


class Step:
    """What a step does its work with. Packets of its connections are shown in order."""

    def __init__(self, caps):
        self.caps, self.open, self.seen = caps, [], {}

    def connect(self, caps=None, **how):
        conn = Conn(self.caps if caps is None else caps, **how)
        self.open.append(conn)
        return conn

    def note(self, name, value):
        self.seen[name] = value

    def end(self):
        for i, conn in enumerate(self.open):
            if conn.log:
                self.seen[f"packets {i}"] = conn.taken()
            if not conn.closed:
                conn.quit()
                self.seen[f"end {i}"] = conn.taken()


def until_other_runs(conn, user_query):
    """Waits until another session of this server runs a statement with this text, and returns its id."""
    for _ in range(POLL_MAX):
        conn.query(f"select id from information_schema.processlist where info like '{user_query}%' and id <> connection_id()")
        row = [p for p in conn.taken() if p.startswith(("03 ", "04 "))]
        for packet in row:
            body = bytes.fromhex(packet.split(" ")[1])
            if body and body[0] == len(body) - 1 and body[1:].isdigit():
                return int(body[1:])
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"no session runs {user_query}")


# --- login ---

@step
def login_ok(s):
    s.note("login", shown(0, s.connect().login))


def prefixed(user):
    """Returns a user's name as it is sent on this side: behind the prefix of the cluster, if there is one."""
    own = os.environ["TG_USER"].encode()
    return own[: -len(b"root")] + user


def try_login(s, user, password, **how):
    """Notes the packets of a login of this user, up to its end."""
    try:
        c = s.connect(user=prefixed(user), password=password, **how)
    except (EOFError, OSError):
        return None
    if c.login[:1] == b"\0":
        c.query("select user(), current_user()")
    return c


@step
def greeting(s):
    c = s.connect(login=False)
    end = c.greeting.index(0, 1) + 1
    s.note("version", c.greeting[:end].decode("latin1"))
    # Behind the id and the first half of the salt.
    s.note("capabilities", c.greeting[end + 12 : end + 31].hex())
    s.note("plugin", c.greeting[end + 43 :].decode("latin1"))
    c.log_in()


@step
def greeting_id_is_the_connection_id(s):
    c = s.connect()
    c.query(f"select connection_id() = {c.id} as same")


@step
def denied_wrong_password(s):
    try_login(s, b"root", b"wrong")


@step
def denied_unknown_user(s):
    try_login(s, b"nobody", b"wrong")


@step
def denied_empty_password(s):
    try_login(s, b"root", b"")


@step
def login_without_tls(s):
    s.connect(tls=False)


@step
def login_odd_users(s):
    c = s.connect()
    users = ["e", "l" * 100, "l" * 128, "two.dots.", "sp ace", "jos\u00e9", "\u540d", "Upper"]
    for user in users:
        c.query(f"create or replace user '{user}'@'%' identified by 'Secret-1'")
        try_login(s, user.encode(), b"Secret-1")
    try_login(s, "jos\u00e9".encode("latin1"), b"Secret-1", collation=8)
    for user in users:
        c.query(f"drop user '{user}'@'%'")


@step
def login_accounts_in_trouble(s):
    c = s.connect()
    for user, how in (("locked", "account lock"), ("expired", "password expire"), ("free", "")):
        c.query(f"create or replace user '{user}'@'%' identified by 'Secret-1' {how}")
        try_login(s, user.encode(), b"Secret-1", database=b"")
    c.query("create or replace user 'limited'@'%' identified by 'Secret-1' with max_user_connections 1")
    for _ in range(2):
        try_login(s, b"limited", b"Secret-1", database=b"")
    c.query("create or replace user 'poor'@'%' identified by 'Secret-1'")
    try_login(s, b"poor", b"Secret-1")
    c.query("drop user locked@'%', expired@'%', free@'%', limited@'%', poor@'%'")


@step
def login_default_role(s):
    c = s.connect()
    c.query("create or replace role role_of_login")
    c.query("create or replace user 'withrole'@'%' identified by 'Secret-1'")
    c.query("grant role_of_login to 'withrole'@'%'")
    c.query("set default role role_of_login for 'withrole'@'%'")
    if other := try_login(s, b"withrole", b"Secret-1", database=b""):
        other.query("select current_role()")
    c.query("drop user 'withrole'@'%'")
    c.query("drop role role_of_login")


@step
def login_by_switch(s):
    """A plugin that the server does not have: it asks for another one."""
    c = s.connect(plugin=b"no_such_plugin", token=b"")
    if c.login[:1] == b"\xfe":
        name, _, salt = c.login[1:].partition(b"\0")
        s.note("switch", [name.decode(), len(salt)])
        c.taken()
        c.write(scramble(c.password, salt[:20]), 4)
        c.answer("packet")


@step
def login_other_database(s):
    s.note("login", shown(0, s.connect(database=b"information_schema").login))


@step
def login_without_database(s):
    c = s.connect(database=b"")
    s.note("login", shown(0, c.login))
    c.query("select database()")
    c.query("select * from t")


@step
def login_found_rows(s):
    c = s.connect(s.caps | FOUND_ROWS)
    c.query("update t set b = b where a < 5")


@step
def login_other_collations(s):
    for collation in (0, 8, 33, 45, 63, 224, 255):
        c = s.connect(collation=collation)
        c.query("select @@character_set_client, @@collation_connection, 'x'")


@step
def login_attributes(s):
    pairs = b"".join(lenenc_bytes(x) for x in (b"program_name", b"p", b"_pid", b"1", b"long", b"y" * 300))
    s.note("login", shown(0, s.connect(attributes=lenenc_bytes(pairs)).login))


@step
def login_broken_attributes(s):
    c = s.connect(attributes=b"\x05\x04abcd")
    s.note("login", shown(0, c.login))


@step
def login_no_such_database(s):
    c = s.connect(database=b"no_such_database")
    s.note("login", shown(0, c.login))


@step
def login_track_everything(s):
    c = s.connect()
    c.query("set session_track_system_variables = '*', session_track_schema = 1, session_track_state_change = 1, "
            "session_track_transaction_info = 'CHARACTERISTICS'")
    for sql in ("set @@sort_buffer_size = 1000000", "use information_schema", f"use {os.environ['TG_DATABASE']}",
                "start transaction read only", "select count(*) from t", "commit", "set transaction isolation level serializable",
                "start transaction with consistent snapshot", "insert into t (a) values (4001)", "rollback",
                "set names latin1", "set time_zone = '+01:00'", "create temporary table tt (a int)", "lock tables t write",
                "unlock tables", "prepare st from 'select 1'", "set @user_variable = 1", "set autocommit = 0",
                "select 1", "set autocommit = 1"):
        c.query(sql)


@step
def login_track_some(s):
    c = s.connect()
    c.query("set session_track_system_variables = 'autocommit,character_set_client,sql_mode'")
    c.query("set autocommit = 0, sql_mode = 'ANSI'")
    c.query("set sort_buffer_size = 1000000")
    c.query("set session_track_system_variables = 'no_such_variable'")


# --- prepared statements ---

@step
def prepare_all_types(s):
    c = s.connect()
    for table in ("types",):
        st = c.prepare(f"select * from {table} order by i")
        c.execute(st)
        c.execute(st)


@step
def prepare_parameters(s):
    c = s.connect()
    st = c.prepare("select ?, ?, ?, ? + 1")
    c.execute(st, (text("ä"), number(-5), None, number(41)))
    c.execute(st, (text("b" * 300), number(1 << 62), text("x"), number(1)))
    c.execute(st, (text("same types"), number(1), text("x"), number(1)), types=False)


@step
def prepare_binary_values(s):
    c = s.connect()
    st = c.prepare("select ?, ?, ?, ?, ?, ?")
    date = (12, bytes([11]) + struct.pack("<HBBBBBI", 2026, 11, 30, 1, 2, 3, 456789))
    time_value = (11, bytes([12, 1]) + struct.pack("<IBBBI", 3, 4, 5, 6, 7))
    c.execute(st, ((1, b"\x80"), (2, b"\xff\x7f"), (3, b"\xff\xff\xff\x7f"), (5, struct.pack("<d", 1.5)), date, time_value))


@step
def prepare_errors(s):
    c = s.connect()
    for sql in ("selec", "select * from no_such_table", "select ?, ? from", "", "use x; select 1", "select * from t where a = :x"):
        c.prepare(sql)


@step
def prepare_without_columns(s):
    c = s.connect()
    for sql in ("insert into t (a) values (?)", "do 1", "set @a = ?", "create table if not exists t (a int)", "commit"):
        c.prepare(sql)


@step
def execute_unknown(s):
    c = s.connect()
    c.execute(4711)
    c.ask(b"\x1a" + struct.pack("<I", 4711), "query")
    c.ask(b"\x1c" + struct.pack("<II", 4711, 1), "fetch")
    c.query("select 1")


@step
def execute_last_prepared(s):
    c = s.connect()
    st = c.prepare("select ? as v")
    c.execute(0xFFFFFFFF, (number(7),))
    c.execute(st, (number(8),))


@step
def execute_pipelined(s):
    c = s.connect()
    c.write(b"\x16select 1 + ?")
    c.write(b"\x17" + struct.pack("<IBI", 0xFFFFFFFF, 0, 1) + b"\0\1\x08\0" + struct.pack("<q", 41))
    c.write(b"\x03select 'third'")
    for kind in ("prepare", "query", "query"):
        c.answer(kind)


@step
def execute_broken(s):
    c = s.connect()
    st = c.prepare("select ?, ?")
    c.ask(b"\x17" + struct.pack("<IBI", st, 0, 1) + b"\0\1\x08")
    c.query("select 'still there'")


@step
def long_data(s):
    c = s.connect()
    st = c.prepare("select length(?), md5(?)")
    for parameter in (0, 1):
        for part in (b"a" * 70000, b"", b"b" * 10):
            c.write(b"\x18" + struct.pack("<IH", st, parameter) + part)
    c.execute(st, (..., ...))
    c.ask(b"\x1a" + struct.pack("<I", st))
    c.execute(st, (text("after reset"), text("x")))


@step
def long_data_of_unknown(s):
    c = s.connect()
    c.write(b"\x18" + struct.pack("<IH", 99, 0) + b"x")
    c.query("select 1")


@step
def long_data_of_wrong_parameter(s):
    c = s.connect()
    st = c.prepare("select ?")
    c.write(b"\x18" + struct.pack("<IH", st, 7) + b"x")
    c.execute(st, (text("v"),))


@step
def close_then_execute(s):
    c = s.connect()
    st = c.prepare("select 1")
    c.write(b"\x19" + struct.pack("<I", st))
    c.write(b"\x19" + struct.pack("<I", 4711))
    c.execute(st)
    c.prepare("select 2")


@step
def cursor_in_parts(s):
    c = s.connect()
    st = c.prepare("select seq, repeat('x', 10) from seq_1_to_25")
    c.execute(st, flags=1)
    for _ in range(4):
        c.ask(b"\x1c" + struct.pack("<II", st, 10), "fetch")


@step
def cursor_reset_in_between(s):
    c = s.connect()
    st = c.prepare("select seq from seq_1_to_25")
    c.execute(st, flags=1)
    c.ask(b"\x1c" + struct.pack("<II", st, 10), "fetch")
    c.query("select 'beside'")
    c.ask(b"\x1a" + struct.pack("<I", st))
    c.ask(b"\x1c" + struct.pack("<II", st, 10), "fetch")
    c.execute(st, flags=1)
    c.ask(b"\x1c" + struct.pack("<II", st, 100), "fetch")


@step
def cursor_without_rows(s):
    c = s.connect()
    st = c.prepare("select 1 from seq_1_to_3 where seq > 3")
    c.execute(st, flags=1)
    c.ask(b"\x1c" + struct.pack("<II", st, 10), "fetch")
    other = c.prepare("do 1")
    c.execute(other, flags=1)


@step
def out_parameters(s):
    c = s.connect()
    st = c.prepare("call p_out(?, ?, ?)")
    c.execute(st, (number(2), number(5), text("x")))
    two = c.prepare("call p_two()")
    c.execute(two)
    c.execute(c.prepare("call p_error()"))


@step
def many_parameters(s):
    c = s.connect()
    count = 65535
    st = c.prepare("select " + "+".join("?" * 500))
    c.execute(st, [number(1)] * 500)
    c.prepare("select 1 in (" + ",".join("?" * count) + ")")
    c.prepare("select 1 in (" + ",".join("?" * (count + 1)) + ")")


@step
def many_statements(s):
    c = s.connect()
    for i in range(300):
        st = c.prepare(f"select {i}")
        if i % 3:
            c.write(b"\x19" + struct.pack("<I", st))
    c.query("select 'after'")


@step
def parameters_of_all_types_as_null(s):
    c = s.connect()
    st = c.prepare("select " + ", ".join("?" * 20))
    c.execute(st, [None] * 20)
    c.execute(st, [number(i) if i % 2 else None for i in range(20)])


@step
def statement_without_parameters_given_some(s):
    c = s.connect()
    st = c.prepare("select 1")
    c.execute(st, (number(1),))
    c.query("select 'alive'")


@step
def metadata_is_cached(s):
    c = s.connect()
    c.query("create temporary table changing (a int)")
    c.query("insert into changing values (1)")
    st = c.prepare("select * from changing")
    c.execute(st)
    c.execute(st)
    c.query("alter table changing add column b varchar(10) default 'x'")
    c.execute(st)
    c.execute(st)


@step
def bulk_execute(s):
    c = s.connect()
    c.query("create temporary table bulk (a bigint, b varchar(20))")
    st = c.prepare("insert into bulk values (?, ?)")
    rows = b"".join(b"\0" + struct.pack("<q", i) + (b"\1" if i == 2 else b"\0" + lenenc_bytes(b"v%d" % i)) for i in range(4))
    c.ask(b"\xfa" + struct.pack("<IH", st, 128) + struct.pack("<HH", 8, 253) + rows)
    c.query("select * from bulk order by a")
    c.ask(b"\xfa" + struct.pack("<IH", st, 128) + struct.pack("<HH", 8, 253))


@step
def bulk_execute_error(s):
    c = s.connect()
    c.query("create temporary table bulk (a bigint primary key)")
    st = c.prepare("insert into bulk values (?)")
    c.ask(b"\xfa" + struct.pack("<IH", st, 128) + struct.pack("<H", 8) + (b"\0" + struct.pack("<q", 1)) * 2)
    c.query("select count(*) from bulk")


# --- other commands ---

@step
def command_ping(s):
    c = s.connect()
    c.ask(b"\x0e")
    c.ask(b"\x0e with more bytes")


@step
def command_init_db(s):
    c = s.connect()
    for name in (b"information_schema", b"no_such_database", b"", b"mysql"):
        c.ask(b"\x02" + name)
        c.query("select database()")


@step
def command_field_list(s):
    c = s.connect()
    for body in (b"types\0", b"t\0a", b"t\0%", b"no_such_table\0", b"\0", b"t"):
        c.ask(b"\x04" + body, "fields")


@step
def command_statistics(s):
    c = s.connect()
    c.ask(b"\x09", "packet")
    s.note("statistics", digits_hidden(c.taken()))


@step
def command_process_info(s):
    c = s.connect()
    c.ask(b"\x0a")
    # The columns; its rows have ids and times.
    s.note("columns", c.taken()[:9])


@step
def command_debug(s):
    c = s.connect()
    c.ask(b"\x0d")
    c.query("select 1")


@step
def command_set_option(s):
    c = s.connect(s.caps & ~MULTI_STATEMENTS)
    c.query("select 1; select 2")
    for option in (b"\0\0", b"\1\0", b"\2\0", b"\xff\xff", b"\0", b""):
        c.ask(b"\x1b" + option)
        c.query("select 1; select 2")


@step
def command_reset_connection(s):
    c = s.connect()
    c.query("set @a = 1, sql_mode = 'ANSI', names latin1")
    c.query("set sql_mode = 'ANSI', session_track_schema = 0")
    c.query("create temporary table gone (a int)")
    c.query("insert into t (a) values (5001)")
    st = c.prepare("select 1")
    c.query("use information_schema")
    c.query("start transaction")
    c.ask(b"\x1f")
    c.query("select @a, @@sql_mode, @@in_transaction, database()")
    c.query("select * from gone")
    c.execute(st)


def change_user(c, user, password, database=b"", plugin=b"mysql_native_password", rest=b""):
    """COM_CHANGE_USER with a proof for the salt of the greeting, which servers answer by a switch with another salt."""
    proof = scramble(password, c.salt)
    body = b"\x11" + prefixed(user) + b"\0" + bytes([len(proof)]) + proof + database + b"\0" + struct.pack("<H", 45)
    first = c.ask(body + plugin + b"\0" + rest, "packet")
    if first[:1] == b"\xfe":
        name, _, salt = first[1:].partition(b"\0")
        # The salt is random.
        c.log[-1] = f"switch to {name.decode()}, {len(salt)} bytes"
        c.write(scramble(password, salt[:20]), 2)
        return c.answer("packet")
    return first


@step
def change_user_to_itself(s):
    c = s.connect()
    c.query("set @a = 1, sql_mode = 'ANSI'")
    c.query("create temporary table gone (a int)")
    c.query("start transaction")
    c.query("insert into t (a) values (7001)")
    st = c.prepare("select 1")
    change_user(c, b"root", c.password, c.database)
    c.query("select @a, @@sql_mode, database(), current_user(), @@in_transaction, @@collation_connection")
    c.query("select count(*) from t where a = 7001")
    c.execute(st)
    c.query("select * from gone")
    st = c.prepare("select 'first of the new session'")
    c.execute(st)


@step
def change_user_to_another(s):
    root = s.connect()
    root.query("create or replace user 'changed'@'%' identified by 'Secret-1'")
    c = s.connect()
    change_user(c, b"changed", b"Secret-1")
    c.query("select current_user(), database()")
    c.query(f"use {os.environ['TG_DATABASE']}")
    change_user(c, b"root", c.password, b"information_schema")
    c.query("select current_user(), database()")
    root.query("drop user 'changed'@'%'")


@step
def failed_change_of_user_no_database(s):
    c = s.connect()
    change_user(c, b"root", c.password, b"no_such_database")
    c.query("select database()")
    c.quit()


@step
def failed_change_of_user_password(s):
    c = s.connect()
    change_user(c, b"root", b"wrong")
    c.query("select 'alive'")
    c.quit()


@step
def command_change_user(s):
    c = s.connect()
    other = c.user.rpartition(b".")[0]
    other += b".changed" if other else b"changed"
    c.query("create or replace user 'changed'@'%' identified by 'Secret-1'")
    c.query("grant all on test.* to 'changed'@'%'")
    c.query("set @a = 1, sql_mode = 'ANSI', names latin1, @id = connection_id()")
    c.query("create temporary table gone (a int)")
    c.query("insert into t (a) values (5002)")
    c.query("start transaction")
    c.query("insert into t (a) values (5003)")
    st = c.prepare("select 1")
    for user, password, database, collation in (
        (other, b"Secret-1", c.database, 45), (other, b"Secret-1", b"", 2304), (other, b"Secret-1", b"", 8),
        (c.user, c.password, c.database, 255), (c.user, c.password, c.database, 45),
    ):
        c.change_user(user, password, database, collation)
        c.query("select @a, @@sql_mode, @@in_transaction, database(), last_insert_id(), current_user(), @@autocommit")
        c.query("select @@collation_connection, @@character_set_client, @@character_set_results, @@warning_count")
        c.query("set @a = 7, autocommit = 0, sql_mode = ''")
    c.query("select * from gone")
    c.query("select count(*) from t where a = 5003")
    c.execute(st)
    c.ask(b"\x0e")
    c.query("drop user 'changed'@'%'")


@step
def command_change_user_keeps_the_session(s):
    c = s.connect()
    for _ in range(3):
        c.query("set @a = connection_id()")
        before = c.query("select connection_id()")
        c.log.clear()
        c.change_user(c.user, c.password)
        after = c.query("select connection_id()")
        c.log.clear()
        s.note("same", before == after)
    c.query("select 1")


@step
def command_change_user_to_no_database(s):
    c = s.connect()
    c.change_user(c.user, c.password, b"no_such_database")


@step
def command_refresh(s):
    c = s.connect()
    for flags in (0, 1, 2, 4, 16, 64, 255):
        c.ask(b"\x07" + bytes([flags]))
    c.ask(b"\x07")


@step
def command_process_kill(s):
    c = s.connect()
    c.ask(b"\x0c" + struct.pack("<I", 4000000000))
    c.ask(b"\x0c\1\0")
    c.query("select 1")


@step
def command_shutdown(s):
    c = s.connect()
    c.ask(b"\x08")
    c.ask(b"\x08\x00")
    c.query("select 1")


@step
def commands_old_and_unknown(s):
    c = s.connect()
    for code in (0x00, 0x05, 0x06, 0x0B, 0x0F, 0x10, 0x13, 0x14, 0x20, 0x21, 0x22, 0x64, 0xF9, 0xFC, 0xFE, 0xFF):
        c = s.connect()
        c.ask(bytes([code]))
        c.query("select 'alive'")


@step
def commands_of_replication(s):
    for body in (b"\x12" + struct.pack("<IHI", 4, 0, 99), b"\x15" + struct.pack("<I", 1) + b"\0" * 20, b"\x1e" + b"\0" * 20):
        c = s.connect()
        c.ask(body)
        if not c.closed:
            c.query("select 'alive'")


@step
def command_empty(s):
    c = s.connect()
    c.ask(b"")
    if not c.closed:
        c.query("select 'alive'")


@step
def command_with_wrong_sequence(s):
    c = s.connect()
    c.write(b"\x03select 'sequence 5'", 5)
    c.answer()


@step
def quit_with_more(s):
    c = s.connect()
    c.write(b"\x01 and more")
    c.ended()


@step
def pipelined_queries(s):
    c = s.connect()
    for i in range(20):
        c.write(b"\x03select %d, repeat('p', %d)" % (i, i * 100))
    for _ in range(20):
        c.answer()


@step
def pipelined_with_errors(s):
    c = s.connect()
    for sql in (b"select 1", b"select nothing", b"do 1", b"select 2; select nothing; select 3", b"select 4"):
        c.write(b"\x03" + sql)
    for _ in range(5):
        c.answer()


# --- results ---

@step
def many_warnings(s):
    c = s.connect()
    c.query("set sql_mode = '', max_error_count = 65535")
    c.query("create temporary table narrow (a tinyint)")
    c.query("insert into narrow select seq + 1000 from seq_1_to_300")
    c.query("insert into narrow select seq + 1000 from seq_1_to_70000")
    c.query("select count(*) from narrow")
    c.query("show count(*) warnings")


@step
def multi_statements(s):
    c = s.connect()
    c.query("select 1; insert into t (a) values (6001); select 2, 'x' from t where a = 99; delete from t where a = 6001; do 1")
    c.query("select 1; select nothing; select 2")
    c.query("select 1;")
    c.query(";")
    c.query("")
    c.query("call p_two(); select 'behind'; call p_error(); select 'never'")


@step
def multi_statements_not_allowed(s):
    c = s.connect(s.caps & ~MULTI_STATEMENTS)
    c.query("select 1; select 2")
    c.query("call p_two()")


@step
def error_after_rows(s):
    c = s.connect()
    c.query("select a, if(a = 900, (select 1 union select 2), repeat('r', 100)) from (select seq as a from seq_1_to_1000) d")
    c.query("select 'behind'")


@step
def many_rows(s):
    c = s.connect()
    c.query("select seq, md5(seq) from seq_1_to_5000")


@step
def many_columns(s):
    c = s.connect()
    c.query("select " + ", ".join(f"{i} as c{i}" for i in range(1000)))


@step
def metadata_of_everything(s):
    c = s.connect()
    for sql in ("select * from types where 0", "select g as geo, j as js, u as id, ip from types x where 0", "select * from v where 0",
                "select count(*), sum(i), avg(d), min(dt), group_concat(c) from types", "select e + 0, st + 0, bt + 0 from types where 0",
                "select (select 1) as sub, a.b from t a where 0", "show warnings", "show tables", "select @@sql_mode, @x, null"):
        c.query(sql)


@step
def statement_of_odd_bytes(s):
    c = s.connect()
    for sql in (b"select '\xff\xfe'", b"select '\x00'", b"\xff", b"select 1\0", b"signal sqlstate '45000' set message_text = '\xc3\xa4\xff\x00'",
                b"select _binary'\x80\xff'", "select 'é' collate latin1_bin".encode()):
        c.query(sql)


@step
def texts_of_errors_in_latin1(s):
    c = s.connect(collation=8)
    c.query("signal sqlstate '45000' set message_text = 'Gr\u00f6\u00dfe'".encode("latin1"))
    c.query("select `\u00e4` from t".encode("latin1"))
    c.query("set character_set_results = binary")
    c.query("select `\u00e4` from t".encode("latin1"))


@step
def character_sets(s):
    c = s.connect()
    for charset in ("latin1", "utf8mb3", "cp1251", "sjis", "gbk", "binary", "utf8mb4", "ucs2"):
        c.query(f"set names {charset}")
        c.query("select tx, e, c from types")
    c.query("set character_set_results = null")
    c.query("select tx, e, c from types")


# --- big packets ---

def big_query(c, length):
    """A query whose packet has this length."""
    head, tail = b"\x03select length('", b"') as n"
    return c.ask(head + b"q" * (length - len(head) - len(tail)) + tail)


@step
def big_packets_to_server(s):
    c = s.connect()
    for length in (BIG - 1, BIG, BIG + 1):
        big_query(c, length)


@step
def big_packets_of_two_frames(s):
    c = s.connect()
    for length in (2 * BIG - 1, 2 * BIG):
        big_query(c, length)


@step
def big_packets_to_client(s):
    c = s.connect()
    for length in (BIG - 5, BIG - 4, BIG - 3, 2 * BIG - 4):
        c.query(f"select repeat('r', {length})")


@step
def big_packets_binary(s):
    c = s.connect()
    c.execute(c.prepare(f"select repeat('r', {BIG - 6}), 1, null"))
    st = c.prepare("select length(?)")
    c.execute(st, (text(b"v" * (BIG + 100)),))


@step
def first_column_of_16_mb(s):
    c = s.connect()
    c.query(f"select repeat('r', {BIG + 10}), 'x' union all select 'second', 'row'")


@step
def rows_that_begin_like_marks(s):
    c = s.connect()
    c.query("select null, 1 union all select repeat('a', 251), 2 union all select repeat('b', 70000), 3 union all select '', null")


@step
def packet_too_large(s):
    c = s.connect()
    c.query("set @large = repeat('x', 1000)")
    c.query("select length(repeat('x', 1000000000))")
    c.query("show warnings")


# --- files ---

@step
def local_file(s):
    c = s.connect()
    c.query("create temporary table loaded (a int, b varchar(20))")
    if c.query("load data local infile 'some file' into table loaded (a, b)")[:1] == b"\xfb":
        c.file(b"1\tone\n2\ttwo\n", b"3\tthr", b"ee\n")
    c.query("select * from loaded")
    if c.query("load data local infile '' into table loaded (a, b)")[:1] == b"\xfb":
        c.file()
    if c.query("load data local infile 'bad' into table loaded (a, b)")[:1] == b"\xfb":
        c.file(b"x\ty\n" * 100)
    c.query("show warnings limit 2")


@step
def local_file_large(s):
    c = s.connect()
    c.query("create temporary table loaded (a longblob)")
    if c.query("load data local infile 'f' into table loaded lines terminated by '\\n' (a)")[:1] == b"\xfb":
        c.file(*[b"x" * 65535 for _ in range(20)], b"\n")
    c.query("select length(a), md5(a) from loaded")


@step
def local_file_in_the_middle(s):
    c = s.connect()
    c.query("create temporary table loaded (a int)")
    if c.query("load data local infile 'f' into table loaded; select count(*) from loaded")[:1] == b"\xfb":
        c.file(b"1\n2\n")
    c.query("select 1; load data local infile 'f' into table no_such_table; select 2")


@step
def local_file_not_allowed(s):
    c = s.connect(s.caps & ~LOCAL_FILES)
    c.query("load data local infile 'f' into table t")
    c.query("load data infile '/etc/passwd' into table t")


# --- ends ---

@step
def kill_own_query(s):
    c = s.connect()
    c.query(f"kill query {c.id}")
    c.query("select 1")


@step
def kill_own_session(s):
    c = s.connect()
    c.query(f"kill {c.id}")
    if not c.closed:
        c.query("select 1")


def in_thread(function):
    done = threading.Thread(target=function)
    done.start()
    return done


@step
def kill_query_of_other(s):
    c, other = s.connect(), s.connect()
    running = in_thread(lambda: c.query("select sleep(60), 'killed'"))
    until_other_runs(other, "select sleep(60), ''killed")
    other.query(f"kill query {c.id}")
    running.join()
    c.query("select 'alive'")


@step
def ended_by_kill_while_busy(s):
    c, other = s.connect(), s.connect()
    running = in_thread(lambda: c.query("select sleep(61), 'session'"))
    until_other_runs(other, "select sleep(61), ''session")
    other.query(f"kill connection {c.id}")
    running.join()
    c.ended()


@step
def ended_by_process_kill(s):
    c, other = s.connect(), s.connect()
    running = in_thread(lambda: c.query("select sleep(62), 'command'"))
    until_other_runs(other, "select sleep(62), ''command")
    other.ask(b"\x0c" + struct.pack("<I", c.id))
    running.join()
    c.ended()


@step
def ended_by_kill_while_idle(s):
    c, other = s.connect(), s.connect()
    other.query(f"kill {c.id}")
    c.ended()


@step
def ended_by_wait_timeout(s):
    c = s.connect()
    c.query("set session wait_timeout = 1")
    c.ended()


@step
def ended_by_idle_transaction(s):
    c = s.connect()
    c.query("set session idle_transaction_timeout = 1")
    c.query("start transaction")
    c.query("select count(*) from t")
    c.ended()


@step
def lock_wait(s):
    c, other = s.connect(), s.connect()
    c.query("insert ignore into parents values (77)")
    c.query("begin")
    c.query("select * from parents where id = 77 for update")
    other.query("set innodb_lock_wait_timeout = 1")
    other.query("select * from parents where id = 77 for update")
    other.query("select * from parents where id = 77 for update nowait")
    c.query("rollback")


@step
def half_closed_after_query(s):
    c = s.connect()
    c.write(b"\x03select 'answered', sleep(0.3)")
    # SSLSocket's own shutdown would end TLS as well.
    socket.socket.shutdown(c.sock, socket.SHUT_WR)
    c.answer()
    c.ended()


@step
def kill_by_connection_id(s):
    c, other = s.connect(), s.connect()
    c.query("select connection_id() into @own")
    running = in_thread(lambda: c.query("select sleep(63), 'by id'"))
    seen = until_other_runs(other, "select sleep(63), ''by id")
    other.query(f"kill query {seen}")
    running.join()


@step
def kill_as_prepared_statement(s):
    c, other = s.connect(), s.connect()
    running = in_thread(lambda: c.query("select sleep(64), 'prepared'"))
    seen = until_other_runs(other, "select sleep(64), ''prepared")
    st = other.prepare(f"kill query {c.id}")
    if st:
        other.execute(st)
    s.note("answer", other.taken()[-1])
    if s.seen["answer"].startswith("01 ff"):
        other.query(f"kill query {seen}")
        other.taken()
    running.join()


@step
def kill_in_other_forms(s):
    c, other = s.connect(), s.connect()
    for sql in ("kill /* c */ query {}", "/* c */ KILL\tQUERY\n{};", "kill soft query {}", "kill hard query {}", "kill query {} ;"):
        other.query(sql.format(c.id))
        c.query("select 'alive'")


@step
def kill_in_several_statements(s):
    c, other = s.connect(), s.connect()
    other.query(f"kill query {c.id}; select 1")


@step
def packet_over_limit(s):
    c = s.connect()
    c.query("select @@max_allowed_packet")
    # Longer than every limit: the server answers or closes before it has read all.
    c.write(b"\x03" + b"x" * (80 << 20))
    c.answer("packet")


@step
def planted(s):
    s.connect().query(f"select '{os.environ['TG_SIDE']}'")


def run_statements(family, caps):
    c = Conn(caps)
    c.taken()
    for number_of, sql in enumerate(statements(), 1):
        c.query(sql)
        emit(f"{family} {number_of} {sql[:60]}", packets=c.taken())
    c.quit()
    emit(f"{family} quit", packets=c.taken())


def statements():
    lines = (HERE.parent / "statements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


def main():
    only = sys.argv[1:]
    for family, caps in FAMILIES.items():
        if not only:
            run_statements(family, caps)
        for function in STEPS:
            name = function.__name__
            if (only and name not in only) or (family == "mysql" and name.startswith(HEAVY)):
                continue
            s = Step(caps)
            began = time.monotonic()
            try:
                function(s)
                s.end()
            except (EOFError, OSError) as e:
                s.seen["failed"] = f"{type(e).__name__}: {e}"
            if os.environ.get("TG_TIMES"):
                print(f"{function.__name__} {time.monotonic() - began:.2f}", file=sys.stderr)
            emit(f"{family} {function.__name__}" if function is not planted else "planted", **s.seen)


if __name__ == "__main__":
    main()
