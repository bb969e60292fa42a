"""Short forms that are common in the wild and verify less than they seem: what each really verifies, seen in runs,
against what its file says. No form in here is one that `tidegate connect` gives."""

import re
import tomllib
from dataclasses import dataclass, field

from . import endpoint
from .runner import SEED, Outcome
from .settings import NAME, SYSTEM, Setting

FILE = "short.toml"
KEYS = {"title", "text", "verifies", "why"}
MAY = {"clear_text"}
VERIFIES = {"chain", "dns_name", "address"}
# In a title, for <CA_root_path>.
CA = "FILE"
# Else a refusal could come of anything, and would be taken for a check.
ABOUT_TRUST = re.compile(r"certificat|x509|trust|verif|identity|SSL|TLS", re.IGNORECASE)

# All see the test's CA in the machine's store, as if a public one had signed: short forms know nothing else.
SETTINGS = [
    Setting("given", {"host": endpoint.HOST, "port": endpoint.PORT}, store=True),
    Setting("impostor", {"host": endpoint.HOST, "port": endpoint.IMPOSTOR_PORT}, store=True, refused_if="chain"),
    Setting("wrong-name", {"host": endpoint.WRONG_HOST, "port": endpoint.PORT}, store=True, refused_if="dns_name"),
    Setting("wrong-address", {"host": endpoint.WRONG_ADDRESS, "port": endpoint.PORT}, store=True, refused_if="address"),
]
# A form that uses no TLS is refused by the right server already.
CLEAR = Setting("given", SETTINGS[0].options, store=True, refused_if="never", shows="insecure transport")


@dataclass
class Short:
    # Markdown; what stands in it as code stands in the text as well.
    title: str
    text: str
    verifies: dict
    why: str
    # It uses no TLS at all: an endpoint that insists refuses it, and one in between needs no certificate.
    clear_text: bool = False
    outcomes: list = field(default_factory=list)

    def refused(self, word):
        """Whether the run that this word of `verifies` decides was refused; None if it was not run."""
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
    """All short forms of this client, with what came of each."""
    forms = load(client.folder)
    if forms:
        rendered = client.endpoints.render(client.id, **NAME, **SYSTEM) | {"setup": None}
        # What it says of itself goes for the forms that are given.
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
    elif not connected and not ABOUT_TRUST.search(said):
        why = "it was refused, but not for the certificate"
    return Outcome(name, "failed" if why else "passed", f"{why}\n{said.strip()}" if why else "", connected)
