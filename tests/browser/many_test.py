"""Uses the lists of a server with many clusters and sessions in Debian's Chromium: their pages and filters.
Prints one line per step, "browser NAME: passed" or "browser NAME: FAILED why"; exits with 1 if one failed."""

import json
import os
import shutil
import sys

from host import ANSWER_SECONDS, Server, the_own_folder
from many import Session, copy_rows
from playwright.sync_api import expect, sync_playwright
from walk import steps

CHROMIUM = os.environ["TIDEGATE_CHROMIUM"]
# Folder for a screenshot of each page of a list.
SHOTS = os.environ.get("TIDEGATE_SHOTS")

# Two pages of 100 rows and a part of a third.
NAMES = [f"c-{number:03}" for number in range(230)]
# More than a page of 100, of two users.
ROOTS, READERS = 104, 3


class Way:
    """The steps, in the order in which a person takes them."""

    def __init__(self, browser, server):
        self.server = server
        self.base = f"https://127.0.0.1:{server.console_port}"
        context = browser.new_context(viewport={"width": 1280, "height": 820})
        context.set_default_timeout(ANSWER_SECONDS * 1000)
        self.page = context.new_page()
        self.errors = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(server.link)
        self.page.get_by_role("button", name="Sign in").click()
        self.sessions = []

    def shot(self, name):
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)

    def first_cells(self, table):
        cells = self.page.locator(f"table.{table} tbody th")
        return cells.all_inner_texts()

    def follow(self, link):
        """Follows a link of the navigation between pages."""
        self.page.locator("nav.pages").get_by_role("link", name=link, exact=True).click()

    def links(self):
        return self.page.locator("nav.pages a").all_inner_texts()

    # --- the steps ---

    def step_pages_of_clusters_have_each_once(self):
        self.page.goto(self.base)
        expect(self.page.locator(".tally")).to_contain_text("232 clusters")
        assert self.links() == ["Next"]
        self.shot("clusters-first")
        seen = [self.first_cells("clusters")]
        self.follow("Next")
        expect(self.page.locator("table.clusters")).to_contain_text("c-150")
        assert self.links() == ["Previous", "Next"]
        self.shot("clusters-second")
        seen.append(self.first_cells("clusters"))
        self.follow("Next")
        expect(self.page.locator("table.clusters")).to_contain_text("shop")
        assert self.links() == ["Previous"]
        seen.append(self.first_cells("clusters"))
        assert [len(page) for page in seen] == [100, 100, 32], [len(page) for page in seen]
        assert [name for page in seen for name in page] == sorted([*NAMES, "demo", "shop"])
        self.follow("Previous")
        expect(self.page.locator("table.clusters")).to_contain_text("c-150")
        assert self.first_cells("clusters") == seen[1], "the page before is the same one"
        self.follow("Previous")
        expect(self.page.locator("table.clusters")).to_contain_text("c-050")
        assert self.first_cells("clusters") == seen[0]
        assert self.links() == ["Next"]
        assert not self.errors, self.errors

    def step_a_page_that_refreshes_itself_stays_where_it_is(self):
        self.follow("Next")
        with self.page.expect_response(lambda answer: answer.request.headers.get("x-tidegate-live") == "1") as fresh:
            pass
        assert "after=c-099" in fresh.value.url and "c-150" in fresh.value.text() and "c-050" not in fresh.value.text()
        assert not self.errors, self.errors

    def step_a_search_has_pages_too(self):
        self.page.get_by_label("Find a cluster").fill("C-1")
        self.page.get_by_role("button", name="Find").click()
        expect(self.page.locator("table.clusters tbody tr")).to_have_count(100)
        assert self.first_cells("clusters") == NAMES[100:200] and self.links() == [], "exactly one page"
        self.page.get_by_label("Find a cluster").fill("c-")
        self.page.get_by_role("button", name="Find").click()
        self.follow("Next")
        self.follow("Next")
        expect(self.page.locator("table.clusters tbody tr")).to_have_count(30)
        assert self.first_cells("clusters") == NAMES[200:], "without demo and shop"
        expect(self.page.get_by_label("Find a cluster")).to_have_value("c-")
        self.page.get_by_role("link", name="Show all").click()
        expect(self.page.locator("table.clusters tbody tr")).to_have_count(100)
        assert not self.errors, self.errors

    def step_sessions_are_shown_in_parts(self):
        root = json.loads(self.server.run("cluster", "password", "shop", "--json"))
        self.server.run("cluster", "set", "shop", "--connections-max", "200", "--tasks-max", "400")
        reader = json.loads(self.server.run("user", "create", "shop", "reader", "--role", "read-only", "--json"))
        ca = self.server.data / "ca.pem"
        for login, count in [(root, ROOTS), (reader, READERS)]:
            for _ in range(count):
                self.sessions.append(Session(self.server.port, ca, login["user"], login["password"]))
        self.page.goto(f"{self.base}/clusters/shop")
        rows = self.page.locator("table.sessions tbody tr")
        expect(self.page.locator("#h-sessions")).to_contain_text("107 of 200")
        expect(rows).to_have_count(20)
        assert self.links() == ["Show more"]
        self.shot("sessions-part")
        part = self.first_cells("sessions")
        self.follow("Show more")
        expect(rows).to_have_count(100)
        assert self.links() == ["Next"]
        self.shot("sessions-all")
        first = self.first_cells("sessions")
        self.follow("Next")
        expect(rows).to_have_count(7)
        last = self.first_cells("sessions")
        assert first[:20] == part and len({*first, *last}) == ROOTS + READERS, "each once"
        assert self.links() == ["First"]
        self.follow("First")
        expect(rows).to_have_count(100)
        assert self.first_cells("sessions") == first
        assert not self.errors, self.errors

    def step_sessions_of_a_user(self):
        self.page.get_by_label("Sessions of this user").fill("reader")
        self.page.get_by_role("button", name="Filter").click()
        rows = self.page.locator("table.sessions tbody tr")
        expect(rows).to_have_count(READERS)
        expect(rows.first).to_contain_text("reader")
        assert self.links() == []
        self.shot("sessions-of-a-user")
        # A session ends, and the page shows it without losing the filter.
        self.sessions.pop().close()
        expect(rows).to_have_count(READERS - 1)
        self.page.get_by_label("Sessions of this user").fill("nobody")
        self.page.get_by_role("button", name="Filter").click()
        expect(self.page.locator("[data-part=sessions]")).to_contain_text("No open sessions of \u201cnobody\u201d")
        self.page.get_by_role("link", name="Show all").click()
        expect(rows).to_have_count(100)
        assert not self.errors, self.errors

    def step_two_operators_do_not_overwrite_each_other(self):
        self.page.goto(f"{self.base}/clusters/shop")
        self.page.get_by_text("Change limits").click()
        self.page.get_by_label("CPU weight").fill("77")
        self.server.run("cluster", "set", "shop", "--cpu-weight", "55")
        self.page.get_by_role("button", name="Save limits").click()
        expect(self.page.get_by_role("alert")).to_contain_text("changed since you opened this page")
        expect(self.page.get_by_label("CPU weight")).to_have_value("77")
        self.shot("stale-limits")
        assert json.loads(self.server.run("cluster", "show", "shop", "--json"))["limits"]["cpu_weight"] == 55
        self.page.get_by_role("button", name="Save limits").click()
        expect(self.page.get_by_role("alert")).to_have_count(0)
        assert json.loads(self.server.run("cluster", "show", "shop", "--json"))["limits"]["cpu_weight"] == 77

    def step_end(self):
        for session in self.sessions:
            session.close()


def main():
    folder = the_own_folder()
    server = Server(folder)
    try:
        server.run("cluster", "create", "shop")
        server.stop()
        copy_rows(server.data / "store.sqlite", "shop", NAMES)
        server = Server(folder)
        with sync_playwright() as playwright:
            # As root, Chromium's sandbox does not work; the pages are our own.
            walls = ["--no-sandbox"] if os.getuid() == 0 else []
            pin = f"--ignore-certificate-errors-spki-list={server.pin()}"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[pin, *walls])
            failed = steps(Way(browser, server), "browser")
            browser.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
