"""`tidegate trust install` and Debian's Chromium and Firefox: they warn before, show the console without a warning after,
and warn again after `trust remove`."""

import hashlib
import os
import ssl
import subprocess
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from firefox import FIREFOX, Firefox
from host import OWN_MACHINE, TIDEGATE, the_own_folder
from walk import steps, with_a_server

CHROMIUM = os.environ["TIDEGATE_CHROMIUM"]
UNKNOWN_ISSUER = "ERR_CERT_AUTHORITY_INVALID"

# The command changes the machine's own stores as well: here, only for itself.
PRIVATE_STORES = """
set -e
layers=$1
shift
mount -t tmpfs tmpfs "$layers"
for folder in /etc /usr/local/share /usr/lib/jvm; do
  [ -d "$folder" ] || continue
  layer="$layers/$(echo "$folder" | tr / _)"
  mkdir -p "$layer/upper" "$layer/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$layer/upper,workdir=$layer/work" "$folder"
done
exec "$@"
"""


class Way:
    def __init__(self, playwright, server):
        self.playwright, self.server = playwright, server
        self.base = f"https://127.0.0.1:{server.console_port}/"
        self.home, self.layers = the_own_folder(), the_own_folder()
        # A profile as Firefox makes it at its first start.
        self.profile = self.home / ".mozilla/firefox/walker.default"
        for database in (self.home / ".pki/nssdb", self.profile):
            database.mkdir(parents=True)
            subprocess.run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"], check=True)
        (self.profile.parent / "profiles.ini").write_text(
            "[Profile0]\nName=walker\nIsRelative=1\nPath=walker.default\nDefault=1\n"
        )

    def visit(self):
        """Opens the console in a new Chromium of this home directory. Returns the page's title, or the browser's error."""
        walls = ["--no-sandbox"] if os.getuid() == 0 else []
        environment = {**os.environ, "HOME": str(self.home)}
        browser = self.playwright.chromium.launch(executable_path=CHROMIUM, args=walls, env=environment)
        try:
            page = browser.new_page()
            page.goto(self.base)
            return page.title()
        except Error as error:
            return error.message
        finally:
            browser.close()

    def visit_with_firefox(self):
        """The same in a new Firefox with this home directory's profile."""
        firefox = Firefox(self.home, self.profile)
        try:
            firefox.go(self.base)
            return firefox.run("return document.title")
        except RuntimeError as error:
            return str(error)
        finally:
            firefox.close()

    def trust(self, *words):
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", PRIVATE_STORES, "sh", str(self.layers), TIDEGATE]
        environment = {**os.environ, "HOME": str(self.home)}
        done = subprocess.run([*command, "trust", *words, *self.server.at], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def said_with_a_link(self):
        environment = {**os.environ, "HOME": str(self.home)}
        return subprocess.run([TIDEGATE, "operator", "link", *self.server.at], env=environment, capture_output=True, text=True,
                              check=True).stderr

    def step_a_new_browser_warns_and_the_fingerprint_is_said_before(self):
        assert UNKNOWN_ISSUER in self.visit(), self.visit()
        pem = ssl.get_server_certificate(("127.0.0.1", self.server.console_port))
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
        fingerprint = ":".join(digest[at:at + 2] for at in range(0, len(digest), 2))
        said = self.said_with_a_link()
        assert fingerprint in said and "trust install" in said, said

    def step_a_firefox_with_this_profile_warns_too(self):
        answer = self.visit_with_firefox()
        assert "insecure certificate" in answer, answer

    def step_after_trust_install_it_does_not_warn(self):
        said = self.trust("install")
        assert "Chromium's store of" in said and "Firefox" in said, said
        title = self.visit()
        assert "Tidegate" in title and UNKNOWN_ISSUER not in title, title
        assert "warns" not in self.said_with_a_link()

    def step_nor_does_a_firefox_warn(self):
        title = self.visit_with_firefox()
        assert "Tidegate" in title and "certificate" not in title, title

    def step_after_trust_remove_it_warns_again(self):
        self.trust("remove")
        assert UNKNOWN_ISSUER in self.visit(), self.visit()

    def step_and_so_does_a_firefox(self):
        answer = self.visit_with_firefox()
        assert "insecure certificate" in answer, answer


def without_firefox():
    """Leaves out the steps of a browser that is not installed."""
    print("browser trust firefox: not run: firefox-esr is not installed")
    for name in [name for name in vars(Way) if name.startswith("step_") and "firefox" in name]:
        delattr(Way, name)


def walk(server):
    with sync_playwright() as playwright:
        return steps(Way(playwright, server), "browser trust")


if not OWN_MACHINE:
    print("browser trust: not run: private namespaces can't be created")
elif not Path("/usr/bin/certutil").is_file():
    print("browser trust: not run: certutil is not installed")
else:
    if not Path(FIREFOX).exists():
        without_firefox()
    with_a_server(walk)
