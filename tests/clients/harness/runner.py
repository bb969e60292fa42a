"""Runs one client in its settings and compares the results with its file. Contains no client's name."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass, replace

from . import endpoint

# The slowest run, which compiles a program first, takes 40 s on two busy cores.
CLIENT_SECONDS = 240
LATE = f"it took longer than {CLIENT_SECONDS} s"
# The query of every run: it proves that the session reads a row, and that the server received and returned the
# characters as given. Only the conversion shows whether the server took them for another character set.
QUERY = "SELECT CONCAT('row ', 6 * 7, ' 😀é ', HEX(CONVERT('😀é' USING utf8mb4))) AS answer"
ROW = re.compile(r"^row 42 (.*)$", re.MULTILINE)
CHARACTERS = "😀é F09F9880C3A9"
# A refusal for any other reason, such as an error in the program, is not a check of the connection.
ABOUT_TRUST = re.compile(r"certificat|x509|trust|verif|identity|SSL|TLS", re.IGNORECASE)
VERSION = re.compile(r"^version v?(.+)$", re.MULTILINE)
PLACEHOLDER = "<your_password>"
# Placeholders of the examples in the old guide; one of them is misspelled there.
SEED = {"username": "user", "usename": "user", "host": "host", "your_password": "password", "CA_root_path": "ca"}


@dataclass
class Outcome:
    setting: str
    # passed, failed or not run
    result: str
    why: str = ""
    connected: bool | None = None


class Client:
    def __init__(self, folder, table, endpoints, store, work):
        self.id, self.folder, self.table = folder.name, folder, table
        self.endpoints, self.store, self.work = endpoints, store, work / f"run-{folder.name}"
        self.work.mkdir()
        self.cluster = endpoints.clusters[self.id]
        self.version = ""
        self.logged = 0

    def run(self, settings, other_forms=()):
        return [self._setting(setting) for setting in [*settings, *self._further(other_forms)]]

    def _further(self, settings):
        """Returns the settings of the other forms, which are neither the first nor the literal one."""
        if not settings:
            return []
        forms = self.endpoints.render(self.id, **settings[0].options)["forms"]
        literal = [form["id"] for form in forms if form["password"] == "literal"][:1]
        further = [form["id"] for form in forms[1:] if form["id"] not in literal]
        return [replace(setting, name=f"{setting.name}-{form}", form=form) for form in further for setting in settings]

    def _setting(self, setting):
        if setting.name in ("tls13", "only-tls12") and not self.table["tls13"]:
            return Outcome(setting.name, "not run", "its string can't require TLS 1.3")
        try:
            text, rendered = self._string(setting)
        except LookupError as error:
            return Outcome(setting.name, "not run", str(error))
        if setting.asleep:
            state = self.endpoints.good.json("cluster", "show", endpoint.cluster_name(self.id))["state"]
            if state != "asleep":
                return Outcome(setting.name, "failed", f"the cluster is {state}")
        said = self._program(setting, text, rendered)
        return self._judge(setting, said, rendered)

    def _string(self, setting):
        rendered = self.endpoints.render(self.id, **setting.options)
        if setting.form == "seed":
            return self._seed(rendered), rendered
        wanted = {"first": lambda form: True, "literal": lambda form: form["password"] == "literal"}
        forms = list(filter(wanted.get(setting.form, lambda form: form["id"] == setting.form), rendered["forms"]))
        if not forms:
            raise LookupError("it has no form with the password in the text")
        self.form = forms[0]
        return self.form["text"].replace(PLACEHOLDER, self.cluster["password"]), rendered

    def _seed(self, rendered):
        file = self.folder / "seed.txt"
        if not file.exists():
            raise LookupError("the old guide has no example of it")
        self.form = {"id": "seed", "password": "literal"}
        values = {"user": self.cluster["user"], "password": self.cluster["password"], "host": endpoint.HOST,
                  "ca": rendered["ca"] or "/etc/ssl/certs/ca-certificates.crt"}
        text = file.read_text()
        for placeholder, name in SEED.items():
            text = text.replace(f"<{placeholder}>", values[name])
        return text

    def try_text(self, name, setting, text, rendered):
        """Runs any text under its own name. Returns the output, and whether a row was read."""
        said = self._program(replace(setting, name=name), text, rendered)
        return said, self._connected(said)

    def _connected(self, said):
        return bool(ROW.search(said)) and self.exit == 0

    def _program(self, setting, text, rendered):
        work = self.work / setting.name
        work.mkdir()
        string, setup = work / "string", work / "setup"
        string.write_text(text + "\n")
        setup.write_text((rendered.get("setup") or {"text": ""})["text"] + "\n")
        # A client that accepts no path finds the local CA only in the store.
        store = setting.store or (rendered["trust"] == "local" and rendered["ca"] is None)
        environment = {
            **os.environ, **(self.store.environment() if store else {}),
            "TG_SETTING": setting.name, "TG_STRING": str(string), "TG_SETUP": str(setup), "TG_FORM": self.form["id"],
            "TG_HOST": endpoint.HOST, "TG_PORT": str(endpoint.PORT), "TG_USER": self.cluster["user"],
            "TG_PASSWORD": self.cluster["password"], "TG_DATABASE": "test", "TG_CA": rendered["ca"] or "",
            "TG_QUERY": QUERY, "LC_ALL": "C",
        }
        if self.form["password"] == "env":
            environment["TIDEGATE_PASSWORD"] = self.cluster["password"]
        command = [str(self.folder / "run")]
        if store:
            command = self.store.command(command)
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=CLIENT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0] + f"\n{LATE}"
        (work / "said").write_text(said)
        found = VERSION.search(said)
        self.version = self.version or (found.group(1).strip() if found else "")
        self.exit = process.returncode
        return said

    def _judge(self, setting, said, rendered):
        connected = self._connected(said)
        fail = lambda why: Outcome(setting.name, "failed", f"{why}\n{said.strip()}", connected)
        wanted = self._wanted(setting)
        if connected != wanted:
            return fail("it connected, but should not have" if connected else "it did not connect")
        # The old guide's examples are not ours to correct.
        if connected and setting.form != "seed" and (got := ROW.search(said).group(1).strip()) != CHARACTERS:
            return fail(f"it returns {got} instead of {CHARACTERS}")
        if not connected and LATE in said:
            return fail("it neither connected nor refused")
        looks = next((f["looks"] for f in rendered["fails"] if f["setting"] == setting.name), setting.shows)
        if not connected and looks and looks not in said:
            return fail(f"it should have printed: {looks}")
        if not connected and not looks and not ABOUT_TRUST.search(VERSION.sub("", said)):
            return fail("it was refused, but not for TLS or the certificate")
        if setting.name == "no-tls-offered" and self.endpoints.bare.was_told(self.cluster["user"]) != self.table["plain_text"]:
            return fail("its behavior with a server that offers no TLS differs from plain_text in its file")
        if not connected and setting.shows and setting.shows not in said:
            return fail(f"it does not show the server's text: {setting.shows}")
        if setting.off and self.table["attributes"] and self.table["hint"] not in said:
            return fail(f"it names itself, and should have been told its own hint: {self.table['hint']}")
        if connected and setting.tls and (wrong := self._agreed(setting)):
            return fail(wrong)
        return Outcome(setting.name, "passed", connected=connected)

    def _wanted(self, setting):
        if setting.refused_if is None:
            return True
        if setting.refused_if == "never":
            return False
        return not self.table["verifies"][setting.refused_if]

    def _agreed(self, setting):
        """Returns why the TLS version in the server's log is not the expected one; None if it is."""
        server = self.endpoints.tls12 if setting.options["port"] == endpoint.TLS12_PORT else self.endpoints.good
        for _ in range(50):
            found = server.connections(endpoint.cluster_name(self.id))
            if found:
                got = found[-1].get("tls")
                return None if got == setting.tls else f"the log says {got}"
            subprocess.run(["sleep", "0.1"], check=True)
        return "the log says nothing of the connection"
