"""Uses the console as a person does, in Debian's Chromium, with a new server and a real client.
Prints one line per step, "browser NAME: passed" or "browser NAME: FAILED why"; exits with 1 if one failed.
There are no mocks: the copied strings are run unchanged."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from host import ANSWER_SECONDS, TIDEGATE, Terminal
from playwright.sync_api import expect, sync_playwright
from walk import steps, with_a_server

CHROMIUM = os.environ["TIDEGATE_CHROMIUM"]
AXE = Path(os.environ["TIDEGATE_AXE"]).read_text()
# File of the README's screenshot; without it none is taken.
PICTURE = os.environ.get("TIDEGATE_PICTURE")
# Folder for a screenshot of every page.
SHOTS = os.environ.get("TIDEGATE_SHOTS")

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIRST_PAINT_MAX = 100_000


class Way:
    """The steps, in the order in which a person takes them."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        self.base = f"https://127.0.0.1:{server.console_port}"
        self.context = self.new_context()
        self.page = self.new_page(self.context)
        self.errors = []
        self.client = None

    def new_context(self, **options):
        options = {"viewport": {"width": 1280, "height": 820}, **options}
        context = self.browser.new_context(**options)
        if options.get("java_script_enabled", True):
            context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.base)
        context.set_default_timeout(ANSWER_SECONDS * 1000)
        return context

    def new_page(self, context):
        page = context.new_page()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def no_errors(self):
        # The browser's console reports each status of 4xx as an error; a step may expect one.
        errors = [e for e in self.errors if "Failed to load resource" not in e]
        self.errors.clear()
        assert not errors, errors

    def picture_of_failure(self, number):
        self.page.screenshot(path=f"{SHOTS}/failed-{number}.png", full_page=True)

    def tab_to(self, selector):
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement?.matches(s)", selector):
                outline = self.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{selector} shows no focus"
                return
        raise AssertionError(f"no Tab leads to {selector}")

    # --- the steps ---

    def step_stranger_is_sent_to_sign_in(self):
        for path in ["/", "/clusters/demo", "/clusters/demo/connect", "/certificate", "/keys"]:
            self.page.goto(self.base + path)
            assert self.page.url == f"{self.base}/sign-in", self.page.url
        expect(self.page.locator("code#sign-in-command")).to_have_text("tidegate operator link")
        self.no_errors()

    def step_sign_in_by_the_printed_link(self):
        self.page.goto(self.server.link)
        # A scanner that opens the link does not use it up.
        self.page.goto(self.server.link)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Clusters", exact=True)).to_be_visible()
        cookie, = self.context.cookies()
        assert cookie["name"] == "__Host-tidegate" and cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        self.no_errors()

    def step_a_link_works_once(self):
        with_nobody = self.new_context()
        page = with_nobody.new_page()
        page.goto(self.server.link)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading")).to_contain_text("expired or already used")
        page.goto(self.base)
        assert page.url.endswith("/sign-in")
        with_nobody.close()

    def step_create_a_cluster_by_keyboard(self):
        self.page.goto(self.base)
        self.tab_to("#name")
        self.page.keyboard.type("shop")
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", name="Connect to shop")).to_be_visible()
        self.no_errors()

    def step_refused_names_are_explained(self):
        self.page.goto(self.base)
        # The browser's own check is turned off, as a script could do.
        self.page.evaluate("document.querySelector('.create').noValidate = true")
        self.page.locator("#name").fill("shop")
        self.page.get_by_role("button", name="Create cluster").click()
        expect(self.page.get_by_role("alert")).to_contain_text("shop")
        expect(self.page.locator("#name")).to_have_value("shop")
        self.errors.clear()

    def step_generate_a_password(self):
        self.page.goto(f"{self.base}/clusters/shop/connect?new=1&os=debian")
        self.tab_to(".primary")
        self.page.keyboard.press("Enter")
        shown = self.page.locator("#password")
        expect(shown).to_be_visible()
        self.password = shown.text_content()
        assert re.fullmatch(r"\S{16}", self.password), self.password
        assert self.password not in self.page.url
        expect(self.page.locator("[data-strings]")).to_contain_text(self.password)
        self.no_errors()

    def step_another_client_keeps_the_password(self):
        self.page.get_by_label("Connect with").select_option("pymysql")
        expect(self.page.locator("[data-strings] h2")).to_have_text("PyMySQL")
        expect(self.page.locator("#form-connect-literal")).to_contain_text(self.password)
        self.page.get_by_label("1.3 only").check()
        expect(self.page.locator("#form-connect-literal")).to_contain_text("TLSv1_3")
        assert self.password not in self.page.url
        if PICTURE:
            self.page.locator("h1").click()
            self.page.screenshot(path=PICTURE)
        self.no_errors()

    def step_strings_are_those_of_the_command_line(self):
        for client in ["mariadb", "pymysql", "go"]:
            self.page.goto(f"{self.base}/clusters/shop/connect?with={client}&os=debian")
            told = json.loads(self.server.run("connect", "shop", "--with", client, "--os", "debian", "--json"))
            for form in told["forms"]:
                assert self.page.locator(f"#form-{form['id']}").text_content() == form["text"], form["id"]
        self.no_errors()

    def step_copy_the_string_and_run_it(self):
        self.page.goto(f"{self.base}/clusters/shop/connect?with=mariadb&os=debian")
        self.page.locator("article.form .copy").first.click()
        expect(self.page.locator("article.form .copy").first).to_contain_text("Copied")
        line = self.page.evaluate("navigator.clipboard.readText()")
        told = json.loads(self.server.run("connect", "shop", "--with", "mariadb", "--os", "debian", "--json"))
        assert line == told["forms"][0]["text"], line
        self.client = Terminal(line)
        self.client.wait_for("(?i)password: ")
        self.client.type(self.password)
        self.client.wait_for(r"\[test\]> ")
        self.client.type("SELECT 6 * 7;")
        self.client.wait_for(r"\b42\b")
        self.no_errors()

    def step_see_the_session(self):
        self.page.goto(f"{self.base}/clusters/shop")
        expect(self.page.get_by_role("status").first).to_contain_text("awake")
        row = self.page.locator("[data-part=sessions] tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("127.0.0.1:")
        expect(row).to_contain_text("TLS 1.")
        self.no_errors()

    def step_sleep_and_see_it_wake(self):
        page = self.page
        page.get_by_role("button", name="Sleep now").click()
        expect(page.get_by_role("status").first).to_contain_text("asleep")
        expect(page.locator("[data-part=sessions]")).to_contain_text("No open sessions")
        wakes = page.locator(".wakes li").count()
        # The client first shows that it was disconnected, and reconnects with a later command; a person types it
        # again. Nobody reloads the page.
        for _ in range(4):
            self.client.type("SELECT 7 * 6;")
            self.client.wait_for(r"\b42\b|ERROR \d+")
            if "ERROR" not in self.client.text:
                break
        self.client.wait_for(r"\b42\b")
        expect(page.get_by_role("status").first).to_contain_text("awake", timeout=ANSWER_SECONDS * 1000)
        expect(page.locator(".wakes li")).to_have_count(wakes + 1)
        expect(page.locator("[data-part=sessions] tbody tr")).to_have_count(1)
        self.no_errors()

    def step_end_the_session(self):
        self.page.get_by_role("button", name="End session").click()
        expect(self.page.locator("[data-part=sessions]")).to_contain_text("No open sessions")
        self.client.close()
        self.no_errors()

    def step_a_refusal_shows_with_its_meaning(self):
        told = json.loads(self.server.run("connect", "shop", "--with", "mariadb", "--os", "debian", "--json"))
        wrong = Terminal(told["forms"][0]["text"])
        wrong.wait_for("(?i)password: ")
        wrong.type("not-the-password")
        wrong.wait_for("1045")
        wrong.close()
        link = self.page.locator(".refusals").get_by_role("link", name="Access denied.")
        expect(link.first).to_be_visible()
        link.first.click()
        expect(self.page.get_by_role("heading", name="Fix")).to_be_visible()
        self.no_errors()

    def step_test_this_connection(self):
        self.page.goto(f"{self.base}/clusters/shop/connect")
        self.page.locator("#test-password").fill(self.password)
        self.page.get_by_role("button", name="Test", exact=True).click()
        steps = self.page.locator(".steps li")
        expect(steps).to_have_count(4)
        assert self.page.locator(".steps li.bad").count() == 0, self.page.locator(".steps").inner_text()
        assert self.password not in self.page.content(), "what was typed for the test is not shown again"
        self.no_errors()

    def step_the_ca_is_offered_where_it_is_needed(self):
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Download ca.pem").click()
        assert Path(download.value.path()).read_bytes() == (self.server.data / "ca.pem").read_bytes()

    def step_change_the_limits(self):
        page = self.page
        page.goto(f"{self.base}/clusters/shop")
        page.get_by_text("Change limits").click()
        expect(page.locator("#sleep_after")).to_have_value("5")
        page.locator("#sleep_after").fill("2")
        page.get_by_label("Sleeps after: unit").select_option("hours")
        page.get_by_label("Sessions at once").fill("12")
        page.get_by_role("button", name="Save limits").click()
        facts = page.locator("#limits .facts:not([data-part])")
        expect(facts).to_contain_text("2 h idle")
        expect(facts).to_contain_text("12")
        told = json.loads(self.server.run("cluster", "show", "shop", "--json"))["limits"]
        assert (told["connections_max"], told["sleep_after_seconds"]) == (12, 7200), told
        # A refused value stays in the form, and nothing is changed.
        page.get_by_text("Change limits").click()
        page.get_by_label("Sleeps after: unit").select_option("days")
        page.locator("#sleep_after").fill("4000")
        page.get_by_role("button", name="Save limits").click()
        expect(page.get_by_role("alert")).to_contain_text("from 0.1 s to 366 days")
        expect(page.locator("#sleep_after")).to_have_value("4000")
        assert json.loads(self.server.run("cluster", "show", "shop", "--json"))["limits"] == told
        self.errors.clear()

    def step_make_a_database_and_a_user_of_it(self):
        page = self.page
        self.server.run("cluster", "wake", "shop")
        page.goto(f"{self.base}/clusters/shop")
        page.get_by_role("link", name="Users and databases").click()
        page.locator("#new-database").fill("orders_1")
        page.get_by_role("button", name="Create database").click()
        expect(page.get_by_role("table", name="Databases of shop")).to_contain_text("orders_1")
        page.locator("#new-user").fill("app")
        page.locator("#new-role").select_option("read-write")
        page.locator("#new-scope").select_option("orders_1")
        page.get_by_role("button", name="Create user").click()
        expect(page.get_by_text("Shown once.")).to_be_visible()
        assert len(page.locator("#password").text_content()) >= 16
        users = json.loads(self.server.run("user", "list", "shop", "--json"))
        made = next(user for user in users if user["name"] == "app")
        assert (made["role"], made["databases"]) == ("read-write", ["orders_1"]), made
        page.get_by_role("row", name="app").get_by_text("Change").click()
        page.get_by_role("button", name="Delete app").click()
        expect(page.get_by_role("table", name="Users of shop")).not_to_contain_text("read-write")

    def step_make_a_key_and_use_it_as_the_page_says(self):
        page = self.page
        page.get_by_role("link", name="API keys").click()
        expect(page.get_by_text("No API keys yet")).to_be_visible()
        self.tab_to("#key-name")
        page.keyboard.type("backup job")
        page.get_by_label("Scope").select_option("all")
        page.get_by_label("Expires").select_option("30")
        page.get_by_role("button", name="Create key").click()
        key = page.locator("#key").text_content()
        assert re.fullmatch(r"tg_[0-9a-f]{64}", key), key
        expect(page.get_by_text("Shown once.")).to_be_visible()
        lines = [page.locator(f"#{name}").text_content() for name in ["use-profile", "use-server", "use-curl"]]
        profile, server, curl = lines
        with tempfile.TemporaryDirectory() as home:
            shutil.copy(self.server.data / "ca.pem", Path(home) / "tidegate-ca.pem")
            environment = {"HOME": home, "PATH": f"{Path(TIDEGATE).parent}:{os.environ['PATH']}", "TIDEGATE_API_KEY": key}

            def shell(line, **more):
                done = subprocess.run(line, shell=True, cwd=home, env={**environment, **more}, capture_output=True, text=True, timeout=60)
                return done.stdout + done.stderr

            told = shell(curl)
            assert {cluster["name"] for cluster in json.JSONDecoder().raw_decode(told)[0]["clusters"]} == {"demo", "shop"}, told
            assert "stored; try it with" in shell(profile)
            # From here on the key is read from the profile.
            assert "shop" in shell(server, TIDEGATE_API_KEY="")
            page.goto(f"{self.base}/keys")
            assert key not in page.content(), "shown once"
            row = page.locator("tbody tr").filter(has_text="backup job")
            expect(row.locator("td[data-label='Last used'] time")).to_be_visible()
            row.get_by_text("Revoke backup job").click()
            row.get_by_role("button", name="Revoke now").click()
            expect(page.get_by_text("No API keys yet")).to_be_visible()
            assert "not_authorized" in shell(curl) and "not_authorized" not in shell(server)
            assert "missing, invalid, expired or revoked API key" in shell(server), "the command line says so in words"
        self.no_errors()

    def step_find_one_among_many(self):
        self.page.goto(self.base)
        assert self.page.locator("#find").count() == 0, "two clusters need no search"
        self.long = "a-name-as-long-as-a-name-may-be-so-that-no-page-is-broken-by-it"
        for name in [self.long, *[f"team-{number}" for number in range(10)]]:
            self.server.run("cluster", "create", name)
        login = json.loads(self.server.run("cluster", "show", "team-7", "--json"))["user"]
        page = self.page
        page.goto(self.base)
        rows = page.locator("table.clusters tbody tr")
        expect(rows).to_have_count(13)
        page.get_by_label("Find a cluster").fill(login)
        page.get_by_role("button", name="Find").click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("team-7")
        # The page refreshes itself and keeps the search.
        with page.expect_response(lambda answer: answer.request.headers.get("x-tidegate-live") == "1") as fresh:
            pass
        assert "find=" in fresh.value.url and "team-7" in fresh.value.text() and "team-6" not in fresh.value.text()
        page.goto(f"{self.base}/?find=%3Cb%3Enothing")
        expect(page.locator("[data-part=rows]")).to_contain_text("contains \u201c<b>nothing\u201d")
        page.get_by_role("link", name="Show all").click()
        expect(rows).to_have_count(13)
        self.no_errors()

    def step_without_scripts(self):
        plain = self.new_context(java_script_enabled=False)
        plain.add_cookies(self.context.cookies())
        page = plain.new_page()
        page.goto(f"{self.base}/clusters/shop/connect")
        page.get_by_label("Connect with").select_option("go")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("[data-strings] h2")).to_have_text("Go-MySQL-Driver")
        assert page.locator(".copy:visible").count() == 0, "no button that does nothing"
        page.get_by_text("Reset password", exact=True).click()
        page.get_by_role("button", name="Reset password now").click()
        self.password = page.locator("#password").text_content()
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.locator(".steps li")).to_have_count(4)
        assert page.locator(".steps li.bad").count() == 0
        page.goto(f"{self.base}/clusters/shop")
        page.get_by_role("button", name="Sleep now").click()
        expect(page.get_by_role("status").first).to_contain_text("asleep")
        page.get_by_role("button", name="Wake now").click()
        expect(page.get_by_role("status").first).to_contain_text("awake")
        plain.close()

    def step_every_page_reads_well_for_everybody(self):
        found = []
        for scheme in ["light", "dark"]:
            for width in [390, 1280]:
                context = self.new_context(color_scheme=scheme, viewport={"width": width, "height": 820})
                context.add_cookies(self.context.cookies())
                found += self.look(context, scheme, width)
                context.close()
        nobody = self.new_context()
        found += self.look(nobody, "light", 1280, ["/sign-in", "/sign-in?ended=1", "/link/x", "/help"])
        nobody.close()
        assert not found, found

    def look(self, context, scheme, width, paths=None):
        found, page = [], context.new_page()
        signed_in = ["/", "/clusters/shop", "/clusters/shop/connect", "/clusters/shop/users", "/clusters/shop/connect?with=libmysqlclient", "/certificate", "/keys"]
        signed_in += ["/?find=team", f"/clusters/{self.long}/connect", f"/clusters/{self.long}"]
        for path in paths or [*signed_in, "/help", "/help/refusals/insecure-transport", "/nothing"]:
            page.goto(self.base + path)
            page.evaluate(AXE)
            result = page.evaluate("rules => axe.run(document, { runOnly: rules })", AXE_RULES)
            assert result["passes"], "axe looked at nothing"
            found += [(path, scheme, width, v["id"], v["nodes"][0]["target"]) for v in result["violations"]]
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append((path, scheme, width, f"{wide} px wide"))
            if SHOTS:
                name = re.sub(r"\W+", "-", path).strip("-") or "home"
                page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
        return found

    def step_a_first_look_is_light(self):
        fresh = self.new_context()
        fresh.add_cookies(self.context.cookies())
        for path in ["/", "/clusters/shop/connect"]:
            # A new page each time, with empty caches.
            page, answers = fresh.new_page(), []
            page.on("response", lambda answer, kept=answers: kept.append(answer))
            page.goto(self.base + path, wait_until="networkidle" if path != "/" else "load")
            size = sum(len(answer.body()) for answer in list(answers))
            assert len(answers) > 2 and size < FIRST_PAINT_MAX, (path, size, len(answers))
            names = page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")
            assert all(name.startswith(self.base) for name in names), names
            page.close()
        fresh.close()

    def step_a_wrong_address_keeps_the_menu(self):
        for path in ["/nothing", "/clusters/nobody", "/help/refusals/nothing"]:
            self.page.goto(self.base + path)
            expect(self.page.get_by_role("heading", name="Not found")).to_be_visible()
            expect(self.page.get_by_role("link", name="API keys")).to_be_visible()
        self.errors.clear()

    def step_delete_asks_first(self):
        self.page.goto(f"{self.base}/clusters/shop")
        self.page.get_by_text("Delete this cluster").click()
        self.page.locator("#confirm").fill("shoq")
        self.page.get_by_role("button", name="Delete shop").click()
        expect(self.page.get_by_role("alert")).to_contain_text("Nothing was deleted")
        self.page.locator("#confirm").fill("shop")
        self.page.get_by_role("button", name="Delete shop").click()
        expect(self.page.get_by_role("heading", name="Clusters", exact=True)).to_be_visible()
        assert self.page.get_by_role("link", name="shop", exact=True).count() == 0
        self.errors.clear()

    def step_sign_out(self):
        cookies = self.context.cookies()
        left_open = self.context.new_page()
        left_open.goto(f"{self.base}/clusters/demo")
        self.page.get_by_role("button", name="Sign out").click()
        assert self.page.url.endswith("/sign-in")
        # A page that is open elsewhere shows that, with a link to sign in; its content stays.
        told = left_open.get_by_role("alert")
        expect(told).to_contain_text("Your session expired")
        expect(left_open.locator("[data-live-note]")).to_have_text("Not live: session expired")
        expect(left_open.get_by_role("heading", name="demo")).to_be_visible()
        told.get_by_role("link", name="Sign in").click()
        assert left_open.url.endswith("/sign-in")
        left_open.close()
        # The cookie is no longer valid, wherever a copy of it is.
        self.context.add_cookies(cookies)
        self.page.goto(self.base)
        assert self.page.url.endswith("/sign-in?ended=1")
        expect(self.page.get_by_text("Your session expired")).to_be_visible()


def walk(server):
    with sync_playwright() as playwright:
        # As root, Chromium's sandbox does not work; the pages are our own.
        walls = ["--no-sandbox"] if os.getuid() == 0 else []
        pin = f"--ignore-certificate-errors-spki-list={server.pin()}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[pin, *walls])
        way = Way(browser, server)
        failed = steps(way, "browser", way.picture_of_failure if SHOTS else None)
        browser.close()
        return failed


with_a_server(walk)
