"""Runs short forms that are in common use and verify less than they seem, and compares the results with their file.
`tidegate connect` prints none of these forms."""

import re
import tomllib
from dataclasses import dataclass, field

from . import endpoint
from .runner import ABOUT_TRUST, SEED, VERSION, Outcome
from .settings import NAME, SYSTEM, Setting

FILE = "short.toml"
KEYS = {"title", "text", "verifies", "why"}
MAY = {"clear_text"}
VERIFIES = {"chain", "dns_name", "address"}
# Replacement of <CA_root_path> in a title.
CA = "FILE"

# The test's CA is in the machine's store, as a public one would be: short forms use nothing else.
SETTINGS = [
    Setting("given", {"host": endpoint.HOST, "port": endpoint.PORT}, store=True),
    Setting("impostor", {"host": endpoint.HOST, "port": endpoint.IMPOSTOR_PORT}, store=True, refused_if="chain"),
    Setting("wrong-name", {"host": endpoint.WRONG_HOST, "port": endpoint.PORT}, store=True, refused_if="dns_name"),
    Setting("wrong-address", {"host": endpoint.WRONG_ADDRESS, "port": endpoint.PORT}, store=True, refused_if="address"),
]
# A form without TLS is refused by the correct server already.
CLEAR = Setting("given", SETTINGS[0].options, store=True, refused_if="never", shows="insecure transport")


@dataclass
class Short:
    # Markdown; code in the title must also be in the text.
    title: str
    text: str
    verifies: dict
    why: str
    # It uses no TLS at all: an endpoint that requires TLS refuses it, and an attacker needs no certificate.
    clear_text: bool = False
    outcomes: list = field(default_factory=list)

    def refused(self, word):
        """Returns whether the run for this key of `verifies` was refused; None if it was not run."""
        name = next(s.name for s in SETTINGS if s.refused_if == word)
        connected = next((o.connected for o in self.outcomes if o.setting.endswith(f", {name}")), None)
        return None if connected is None else not connected


def load(folder):
    file = folder / FILE
    if not file.exists():
        return []
    forms = []
    for number, entry in enumerate(tomllib.loads(file.read_text())["short"], 1):
        where = f"{folder.name}/{FILE}, form {number}"
        if set(entry) - MAY != KEYS or set(entry["verifies"]) != VERIFIES:
            raise ValueError(f"{where}: wants {', '.join(sorted(KEYS))}, and in verifies {', '.join(sorted(VERIFIES))}")
        for code in re.findall(r"`([^`]+)`", entry["title"]):
            if code.replace(CA, "<CA_root_path>") not in entry["text"]:
                raise ValueError(f"{where}: its text has no {code}")
        forms.append(Short(**entry))
    return forms


def run(client):
    """Returns all short forms of this client with their results."""
    forms = load(client.folder)
    if forms:
        rendered = client.endpoints.render(client.id, **NAME, **SYSTEM) | {"setup": None}
        # The client's own facts apply to the forms of `tidegate connect` only.
        client.form = {"id": "short", "password": "literal"}
        for number, form in enumerate(forms, 1):
            chosen = [CLEAR] if form.clear_text else SETTINGS
            form.outcomes = [_setting(client, form, number, setting, rendered) for setting in chosen]
    return forms


def _setting(client, form, number, setting, rendered):
    values = {"user": client.cluster["user"], "password": client.cluster["password"], **setting.options,
              "ca": rendered["ca"] or "/etc/ssl/certs/ca-certificates.crt"}
    text = form.text
    for placeholder, name in {**SEED, "port": "port"}.items():
        text = text.replace(f"<{placeholder}>", str(values[name]))
    said, connected = client.try_text(f"short{number}-{setting.name}", setting, text.strip(), rendered)
    name = f"short form {form.title}, {setting.name}"
    if setting.shows:
        right = not connected and setting.shows in said
        why = "" if right else f"its file says that it uses no TLS\n{said.strip()}"
        return Outcome(name, "passed" if right else "failed", why, connected)
    wanted = setting.refused_if is None or not form.verifies[setting.refused_if]
    why = ""
    if connected != wanted:
        why = ("it connected, and its file says that it verifies this" if connected
               else "it did not connect, and its file says that it does not verify this" if setting.refused_if
               else "it did not connect")
    elif not connected and not ABOUT_TRUST.search(VERSION.sub("", said)):
        why = "it was refused, but not for the certificate"
    return Outcome(name, "failed" if why else "passed", f"{why}\n{said.strip()}" if why else "", connected)
