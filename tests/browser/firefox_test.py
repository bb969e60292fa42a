"""Runs the main steps of the console in Debian's Firefox: a second browser engine, which verifies the certificate
itself. Prints one line per step, "browser firefox NAME: passed" or "... FAILED why"; exits with 1 if one failed."""

import json
import os
import re

from firefox import Firefox
from host import Terminal
from walk import steps, with_a_server

SHOTS = os.environ.get("TIDEGATE_SHOTS")


class Way:
    def __init__(self, firefox, server):
        self.firefox, self.server = firefox, server
        self.base = f"https://127.0.0.1:{server.console_port}"
        self.client = None

    def step_a_ca_that_it_does_not_know_is_refused(self):
        try:
            self.firefox.go(self.base)
        except RuntimeError as error:
            assert "insecure certificate" in str(error), error
            return
        raise AssertionError("the page was shown without the CA")

    def step_with_the_ca_the_page_is_shown(self):
        self.firefox.trust(self.server.data / "ca.pem")
        self.firefox.go(self.base)
        assert self.firefox.url() == f"{self.base}/sign-in", self.firefox.url()
        assert self.firefox.run("return isSecureContext")

    def step_sign_in_by_the_printed_link(self):
        self.firefox.go(self.server.link)
        self.firefox.click("main button")
        self.firefox.wait_for("h1", "Clusters")
        assert "__Host-tidegate" not in self.firefox.run("return document.cookie"), "no script sees the cookie"

    def step_create_a_cluster_by_keyboard(self):
        self.firefox.type("#name", "shop\ue007")
        self.firefox.wait_for("h1", "Connect to shop")

    def step_generate_a_password(self):
        self.firefox.click(".primary")
        self.firefox.wait_for(".once-note", "Shown once")
        self.password = self.firefox.text("#password")
        assert re.fullmatch(r"\S{16}", self.password), self.password
        assert self.password in self.firefox.text("[data-strings]") and self.password not in self.firefox.url()

    def step_another_client_keeps_the_password(self):
        self.firefox.run("const s = document.querySelector('#with'); s.value = 'pymysql'; s.dispatchEvent(new Event('change', { bubbles: true }))")
        self.firefox.wait_for("[data-strings] h2", "PyMySQL")
        self.firefox.wait_for("#form-connect-literal", self.password)

    def step_copy_the_string_and_run_it(self):
        self.firefox.go(f"{self.base}/clusters/shop/connect?with=mariadb&os=debian")
        self.firefox.click("article.form .copy")
        self.firefox.wait_for("article.form .copy", "Copied")
        line = self.firefox.text("article.form pre code")
        told = json.loads(self.server.run("connect", "shop", "--with", "mariadb", "--os", "debian", "--json"))
        assert line == told["forms"][0]["text"], line
        self.client = Terminal(line)
        self.client.wait_for("(?i)password: ")
        self.client.type(self.password)
        self.client.wait_for(r"\[test\]> ")

    def step_see_the_session_and_the_state_change_by_themselves(self):
        self.firefox.go(f"{self.base}/clusters/shop")
        self.firefox.wait_for("[role=status]", "awake")
        self.firefox.wait_for("[data-part=sessions] tbody", "127.0.0.1:")
        self.firefox.run("window.notReloaded = true")
        self.client.close()
        self.firefox.wait_for("[data-part=sessions]", "No open sessions")
        self.server.run("cluster", "sleep", "shop")
        self.firefox.wait_for("[role=status]", "asleep")
        assert self.firefox.run("return window.notReloaded === true"), "part by part, not by loading it anew"

    def step_change_the_limits(self):
        self.firefox.click("details.change summary")
        self.firefox.run("document.querySelector('#connections_max').value = '12'")
        self.firefox.click(".limits button")
        self.firefox.wait_for("#limits .facts", "12")

    def step_make_a_key(self):
        self.firefox.go(f"{self.base}/keys")
        self.firefox.type("#key-name", "from firefox\ue007")
        self.firefox.wait_for(".once-note", "Shown once")
        assert re.fullmatch(r"tg_[0-9a-f]{64}", self.firefox.text("#key"))

    def step_no_page_is_wider_than_its_window(self):
        for width in [500, 1280]:
            self.firefox.size(width, 820)
            for path in ["/", "/clusters/shop", "/clusters/shop/connect", "/certificate", "/keys", "/help", "/nothing"]:
                self.firefox.go(self.base + path)
                inner, wide = self.firefox.run("return [document.documentElement.clientWidth, document.documentElement.scrollWidth]")
                if SHOTS:
                    name = re.sub(r"\W+", "-", path).strip("-") or "home"
                    self.firefox.picture(f"{SHOTS}/firefox-{name}-{width}.png")
                assert wide <= inner, (path, width, wide)

    def step_sign_out(self):
        self.firefox.go(self.base)
        self.firefox.click(".who button")
        self.firefox.wait_for("h1", "Sign in with a link")
        self.firefox.go(self.base)
        assert self.firefox.url().endswith("/sign-in")


def walk(server):
    firefox = Firefox()
    try:
        return steps(Way(firefox, server), "browser firefox")
    finally:
        firefox.close()


with_a_server(walk)
