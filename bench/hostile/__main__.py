"""The hostile run: good clients beside attackers, which first attack a dummy port, then the server. Started by script/hostile."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import report  # noqa: E402
import table  # noqa: E402
from attacks import ATTACKS  # noqa: E402
from half_core import HalfCore  # noqa: E402
from proc import BenchError, Client, engines_below, free_port, raise_descriptor_limit, say  # noqa: E402
from targets import Tidegate, versions  # noqa: E402

ROOT = HERE.parent.parent
GOOD_CLUSTERS, GOOD_CLIENTS = 10, 50
# Each good client runs about fifteen queries a second, and logs in again every minute.
PAUSE_MS, QUERIES_PER_LOGIN = 60, 800
QUERY = "SELECT c FROM work WHERE id = 7"
HOSTILE = ("asleep", "failed", "disk", "memory", "burn", "accounts", "frozen")
FREEZE_EVERY_SECONDS = 60


def arguments():
    parser = argparse.ArgumentParser(prog="script/hostile", description="Starts a server and attacks it while good clients work.")
    parser.add_argument("--minutes", type=float, default=10, help="length of the attack (default: 10)")
    parser.add_argument("--dummy-minutes", type=float, help="length of the reference run on a dummy port (default: a third)")
    parser.add_argument("--only", action="append", metavar="ATTACK", choices=sorted(ATTACKS),
                        help="run only this attack, to measure its cost (repeatable; default: all)")
    parser.add_argument("--out", type=Path, help="folder of the result (default for a run of 10 minutes: bench/results)")
    parser.add_argument("--tidegate", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--client", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def memory_mb(pid):
    """Returns anonymous memory and all resident memory of a process."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return tuple(int(found[key].split()[0]) / 1024 for key in ("RssAnon", "VmRSS"))


class Watch(threading.Thread):
    """Samples the server's memory, and from time to time freezes a hostile engine."""

    def __init__(self, tidegate, victims):
        super().__init__(daemon=True)
        self.tidegate, self.victims = tidegate, victims
        self.anonymous, self.resident, self.frozen = [], [], 0
        self.done = threading.Event()

    def run(self):
        began = last = time.monotonic()
        while not self.done.wait(1):
            with contextlib.suppress(OSError, KeyError):
                anonymous, resident = memory_mb(self.tidegate.pid)
                self.anonymous.append(anonymous)
                self.resident.append(resident)
            if self.victims and time.monotonic() - last > FREEZE_EVERY_SECONDS:
                last = time.monotonic()
                for pid in self.victims():
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGSTOP)
                        self.frozen += 1
        self.seconds = time.monotonic() - began


def create(tidegate, name):
    """A cluster and the folder that came with it."""
    engines = tidegate.data / "engines"
    before = set(engines.iterdir()) if engines.exists() else set()
    target = tidegate.create(name)
    came = [f for f in set(engines.iterdir()) - before if f.name.isdigit()]
    if len(came) != 1:
        raise BenchError(f"one new folder was expected for {name}, {len(came)} came")
    return target, came[0]


def awake_engines(tidegate, name, folder):
    """Returns the process ids of a cluster's engine. Wakes it first: after a freeze and a recovery it sleeps soon."""
    with contextlib.suppress(BenchError):
        tidegate.call("cluster", "wake", name)
    return engines_below(folder)


def break_cluster(tidegate, name, folder):
    """Creates a cluster that can't start, and lets it fail."""
    (folder / "data" / "ibdata1").write_bytes(b"no tablespace" * 1000)
    with contextlib.suppress(BenchError):
        tidegate.call("cluster", "wake", name)


def prepare(tidegate, client):
    good = [tidegate.create(f"good-{n}") for n in range(GOOD_CLUSTERS)]
    for target in good:
        client.ask(target, {"work": "execute", "statements": [
            "CREATE TABLE work (id INT PRIMARY KEY, c VARCHAR(200))",
            "INSERT INTO work SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_1000"]})
    made = {name: create(tidegate, f"hostile-{name}") for name in HOSTILE}
    tidegate.call("cluster", "set", "hostile-disk", "--disk-max", "300M")
    tidegate.call("cluster", "set", "hostile-memory", "--memory-max", "256M")
    tidegate.sleep("hostile-failed")
    break_cluster(tidegate, "hostile-failed", made["failed"][1])
    tidegate.sleep("hostile-asleep")
    return good, {name: target for name, (target, _) in made.items()}, made["frozen"][1]


def spec_for(asked, hostile, port, console_port, seconds):
    users = [hostile[name].user for name in ("asleep", "failed", "burn")]
    return {"host": "127.0.0.1", "port": port, "console_port": console_port, "seconds": seconds, "users": users,
            "only": asked.only or sorted(ATTACKS),
            "tenants": {name: (t.user, t.password) for name, t in hostile.items()}}


def measuring_client(program):
    """In real life the good clients have another machine: here they must not wait for a processor
    that the attackers and the server share, or that wait would count as the server's. They use little."""
    client = Client(program)
    if os.geteuid() == 0:
        client.command = ["chrt", "--rr", "1", *client.command]
    return client


def good_clients(client, good, seconds):
    work = {"work": "paced", "sessions": GOOD_CLIENTS, "seconds": seconds, "pause_ms": PAUSE_MS,
            "queries_per_login": QUERIES_PER_LOGIN, "query": QUERY}
    return client.ask(good[0], work, [t.login() for t in good], timeout=seconds + 120)


def beside_attackers(client, good, spec, group, watch):
    """Returns the good clients' figures while the attackers of `spec` run in their control group."""
    flood = subprocess.Popen([sys.executable, "-B", str(HERE / "flood.py")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, start_new_session=True)
    group.take(flood.pid)
    watch.start()
    try:
        flood.stdin.write(json.dumps(spec) + "\n")
        flood.stdin.close()
        figures = good_clients(client, good, spec["seconds"])
        told = flood.stdout.readline()
        flood.wait(60)
    finally:
        if flood.poll() is None:
            flood.kill()
        watch.done.set()
        watch.join()
    attacks = json.loads(told) if told else {"done": {}, "errors": {}}
    return {"good": figures, "attacks": attacks,
            "server_mb": {"anonymous": max(watch.anonymous), "resident": max(watch.resident)}, "frozen": watch.frozen}


def carry_out(asked, stack):
    work = Path(tempfile.mkdtemp(prefix="tidegate-hostile-"))
    stack.callback(shutil.rmtree, work, ignore_errors=True)
    work.chmod(0o711)
    console_port = free_port()
    (work / "tidegate").mkdir(mode=0o700)
    (work / "tidegate" / "tidegate.toml").write_text(f'[console]\nlisten = ["127.0.0.1:{console_port}"]\n')
    say("-- starting tidegate")
    tidegate = Tidegate(asked.tidegate, work, stack)
    client = measuring_client(asked.client)
    good, hostile, frozen = prepare(tidegate, client)
    group = HalfCore()
    stack.callback(group.remove)
    results = {"limited": group.described, "asked": asked.only or sorted(ATTACKS)}
    dummy = subprocess.Popen([sys.executable, "-B", str(HERE / "dummy.py")], stdout=subprocess.PIPE, text=True)
    stack.callback(dummy.wait)
    stack.callback(dummy.kill)
    group.take(dummy.pid)
    port = int(dummy.stdout.readline())
    seconds = asked.minutes * 60
    quiet = (asked.dummy_minutes or asked.minutes / 3) * 60
    say(f"-- good clients beside the dummy port, {quiet:.0f} s")
    results["dummy"] = beside_attackers(client, good, spec_for(asked, hostile, port, port, quiet), group, Watch(tidegate, None))
    say(f"-- good clients beside the attack, {seconds:.0f} s")
    victims = Watch(tidegate, lambda: awake_engines(tidegate, "hostile-frozen", frozen))
    results["attack"] = beside_attackers(client, good, spec_for(asked, hostile, tidegate.port, console_port, seconds), group, victims)
    results["alive"] = tidegate.is_running()
    results["log_lines"] = len(Path(tidegate.server.log).read_text(errors="replace").splitlines())
    return results


def main():
    asked = arguments()
    raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    short, dirty = report.commit(ROOT)
    about = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": short, "uncommitted": dirty,
             "machine": report.machine(), "tidegate": versions(asked.tidegate, HERE)["tidegate"], "minutes": asked.minutes}
    try:
        with contextlib.ExitStack() as stack:
            results = carry_out(asked, stack)
    except BenchError as error:
        say(f"error: {error}")
        return 1
    found = table.verdicts(results)
    text = table.text(results, found, about)
    print(text)
    out = asked.out or (ROOT / "bench" / "results" if asked.minutes >= 10 and not asked.only else None)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        name = f"{about['date']}-{short}-hostile"
        (out / f"{name}.md").write_text(text)
        (out / f"{name}.json").write_text(json.dumps({"about": about, "verdicts": found, "results": results}, indent=1) + "\n")
        say(f"written: {name}.md and .json")
    else:
        say("not kept: only a run of 10 minutes writes into bench/results (or use --out DIR)")
    return 0 if all(v["met"] for v in found) else 1


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main())
