"""Prints the results as lines for script/test, and writes docs/verification.md. Decides nothing."""

import subprocess
from datetime import date

from . import settings

CHECKED = {True: "yes", False: "**no**"}


def line(name, version, outcomes):
    failed = [o for o in outcomes if o.result == "failed"]
    head = f"client {name} {version}".rstrip()
    if failed:
        said = "".join(f"\n  {o.setting}: " + o.why.replace("\n", "\n      ")[:4000] for o in failed)
        print(f"{head}: FAILED in {', '.join(o.setting for o in failed)}{said}", flush=True)
        return
    passed = sum(o.result == "passed" for o in outcomes)
    rest = [f"{o.setting} ({o.why})" for o in outcomes if o.result == "not run"]
    print(f"{head}: passed in {passed} settings{'; not run: ' + ', '.join(rest) if rest else ''}", flush=True)


def write(path, table, results, tidegate):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=path.parent, capture_output=True, text=True)
    ran = {name: (version, {o.setting: o for o in outcomes}) for name, version, outcomes, _ in results}
    out = [
        "# Which clients verify what", "",
        "This page is for everybody who chooses a client or writes a connection string. Most MySQL clients can verify the",
        "server; few do so by default, and some that seem to verify check nothing. The table shows the results of tests:",
        "each connection string of `tidegate connect` was run by its real client against a correct server, a server whose",
        "certificate another CA had signed, and a server that was reached by a DNS name or an address that its certificate",
        "does not contain. *Yes* means that the client refused the incorrect server. *Never in plaintext* means that the",
        "client does not send its login if an attacker in between pretends that the server has no TLS. Each run also",
        "reads `😀` and `é` back as given, in a locale without a character set.", "",
        f"Run on {date.today().isoformat()} by `tests/clients/run --all --write`, commit {commit.stdout.strip()}.", "",
        "| client | language | version | chain | DNS name | IP address | never in plaintext | TLS 1.2 | TLS 1.3 "
        "| settings passed | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, client in table.items():
        version, outcomes = ran.get(name, ("", {}))
        if not any(o.result == "passed" for o in outcomes.values()):
            continue
        out.append(row(client, version, outcomes))
    out += short_forms(table, {name: shorts for name, _, _, shorts in results})
    out += ["", "## Settings", ""] + [f"- `{s.name}`: {meaning(s)}" for s in settings.ALL]
    out += ["", "## Not run", ""]
    for name, client in table.items():
        version, outcomes = ran.get(name, ("", {}))
        if not any(o.result == "passed" for o in outcomes.values()):
            why = next((o.why for o in outcomes.values()), client.get("not_run") or "it has no program in tests/clients")
            out.append(f"- {client['name']}: {why}")
    path.write_text("\n".join(out) + "\n")


def short_forms(table, shorts):
    out = [
        "", "## Short forms that seem safe", "",
        "Short forms that are in common use. They were run in the same way, with the signing CA in the machine's store, like",
        "a public one; FILE is the store's bundle. *Yes* means that the client refused the incorrect server. **No** means that",
        "an attacker in between with such a certificate can read and change everything. **No TLS** means that the form logs in",
        "in plaintext, which this endpoint refuses and others do not.", "",
        "| client | form | chain | DNS name | IP address | why |", "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, client in table.items():
        for form in shorts.get(name, []):
            seen = [cell(form, word) for word in ("chain", "dns_name", "address")]
            out.append("| " + " | ".join([client["name"], form.title.replace("|", "\\|"), *seen, form.why]) + " |")
    return out


def cell(form, word):
    if form.clear_text:
        return "**no TLS**"
    return {None: "not run", **CHECKED}[form.refused(word)]


def row(client, version, outcomes):
    def refused(setting):
        seen = outcomes.get(setting)
        return "not run" if seen is None or seen.connected is None else CHECKED[not seen.connected]

    def connected(setting):
        seen = outcomes.get(setting)
        return "not run" if seen is None or seen.result == "not run" else CHECKED[bool(seen.connected)]

    silent = "not run" if "no-tls-offered" not in outcomes else CHECKED[not client["plain_text"]]
    passed = sum(o.result == "passed" for o in outcomes.values())
    failed = ", ".join(o.setting for o in outcomes.values() if o.result == "failed") or "none"
    cells = [client["name"], client["language"], version, refused("impostor"), refused("wrong-name"),
             refused("wrong-address"), silent, connected("tls12"), connected("given"), str(passed), failed]
    return "| " + " | ".join(cells) + " |"


MEANINGS = {
    "asleep": "the string as given, while the cluster sleeps",
    "given": "the string as given, by DNS name; over TLS 1.3",
    "literal": "the form with the password in its text",
    "address": "the endpoint by its IP address",
    "tls12": "a server that speaks TLS 1.2 only",
    "tls13": "the string that requires TLS 1.3",
    "only-tls12": "that string against a server that speaks TLS 1.2 only: refused",
    "impostor": "a server with the same names and accounts, whose certificate another CA has signed",
    "wrong-name": "a DNS name that the certificate does not contain",
    "wrong-address": "an IP address that the certificate does not contain",
    "no-tls-offered": "a server, or an attacker in between, that offers no TLS: it must not receive user or password",
    "off": "TLS turned off: the client shows the server's error 3159 and its text",
    "public": "the string for a publicly trusted server, with the CA in the machine's store",
    "public-without": "that string with the CA in no store: refused",
    "seed": "the example of the guide that this service follows, with its placeholders filled in and nothing else changed",
}


def meaning(setting):
    return MEANINGS[setting.name]
