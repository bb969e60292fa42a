"""Drives Debian's Firefox by Marionette, its built-in protocol. Implements only what firefox_test.py needs."""

import base64
import itertools
import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from host import ANSWER_SECONDS, START_SECONDS, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FIREFOX = os.environ.get("TIDEGATE_FIREFOX", "/usr/bin/firefox-esr")

# Script in Firefox: adds a CA to its trust store, like an import by a person.
TRUST = """
const store = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
store.addCertFromBase64(arguments[0], "C,,");
"""


class Firefox:
    def __init__(self, home=None, profile=None):
        """Starts it with a new profile, or with one that exists in a home directory."""
        self.new_profile = None if profile else tempfile.TemporaryDirectory(prefix="tg-firefox-")
        profile = profile or self.new_profile.name
        port = free_port()
        Path(profile, "user.js").write_text(
            f'user_pref("marionette.port", {port});\n'
            # Firefox must not contact Mozilla's servers.
            'user_pref("app.update.enabled", false);\n'
            'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n'
            'user_pref("network.captive-portal-service.enabled", false);\n'
        )
        command = [FIREFOX, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", str(profile)]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env={**os.environ, "HOME": str(home or profile)}, **quiet)
        self.ids = itertools.count(1)
        self.wire = self.connect(port)
        self.read()
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
        self.ask("WebDriver:SetTimeouts", {"implicit": 0, "pageLoad": START_SECONDS * 1000, "script": ANSWER_SECONDS * 1000})

    def connect(self, port):
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS).makefile("rwb")
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    def read(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.wire.read(1)
            if not byte:
                raise RuntimeError("Firefox is gone")
            length += byte
        return json.loads(self.wire.read(int(length[:-1])))

    def ask(self, name, fields=None):
        number = next(self.ids)
        text = json.dumps([0, number, name, fields or {}]).encode()
        self.wire.write(str(len(text)).encode() + b":" + text)
        self.wire.flush()
        kind, answered, error, result = self.read()
        assert (kind, answered) == (1, number)
        if error:
            raise RuntimeError(f"{name}: {error['error']}: {error['message'].partition(chr(10))[0]}")
        return result

    def trust(self, ca):
        """Adds the CA only; Firefox itself checks chain, dates and names."""
        der = "".join(line for line in Path(ca).read_text().splitlines() if "-----" not in line)
        self.ask("Marionette:SetContext", {"value": "chrome"})
        self.ask("WebDriver:ExecuteScript", {"script": TRUST, "args": [der]})
        self.ask("Marionette:SetContext", {"value": "content"})

    def go(self, url):
        self.ask("WebDriver:Navigate", {"url": url})

    def url(self):
        return self.ask("WebDriver:GetCurrentURL")["value"]

    def run(self, script, *args):
        return self.ask("WebDriver:ExecuteScript", {"script": script, "args": list(args)})["value"]

    def find(self, selector):
        return self.ask("WebDriver:FindElement", {"using": "css selector", "value": selector})["value"][ELEMENT]

    def click(self, selector):
        self.ask("WebDriver:ElementClick", {"id": self.find(selector)})

    def type(self, selector, text):
        self.ask("WebDriver:ElementSendKeys", {"id": self.find(selector), "text": text})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait_for(self, selector, text):
        end, found = time.monotonic() + ANSWER_SECONDS, ""
        while time.monotonic() < end:
            try:
                found = self.text(selector) or ""
            except RuntimeError:
                # The page changes while it is read.
                found = ""
            if text in found:
                return
            time.sleep(0.1)
        raise AssertionError(f"{selector} never held {text!r}, but {found!r}")

    def size(self, width, height):
        self.ask("WebDriver:SetWindowRect", {"width": width, "height": height})

    def picture(self, path):
        Path(path).write_bytes(base64.b64decode(self.ask("WebDriver:TakeScreenshot", {"full": True})["value"]))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.new_profile:
            self.new_profile.cleanup()
