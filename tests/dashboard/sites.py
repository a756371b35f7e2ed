"""The dashboard served as users do, and a real browser that visits it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 90_000  # how long a busy machine may take to show what it should
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 1000}
ZOOMED = {"width": 720, "height": 500}  # as DESK at 200 %

FORMS = ((DESK, "light"), (PHONE, "dark"))
OTHER_FORMS = ((DESK, "dark"), (PHONE, "light"))
"""Sizes and colours in which a page is looked at."""

# What leaves the window sideways, moves although that is not wanted, or is a chart without words.
FAULTS = """() => {
    const found = [], main = document.querySelector('[data-testid=stMain]');
    const isOwn = (node) => node.matches('img, canvas, svg, button, input, textarea')
        || [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    const name = (node) => `${node.tagName} ${node.textContent.trim().slice(0, 40)}`;
    const look = (parent, scrolls) => {
        for (const node of parent.children) {
            const style = getComputedStyle(node), box = node.getBoundingClientRect();
            for (const kind of ['transition', 'animation']) {
                if (style[`${kind}Duration`].split(', ').some((each) => parseFloat(each) > 0.01))
                    found.push(`${kind} of ${name(node)}`);
            }
            if (!node.checkVisibility()) continue;
            const inner = scrolls || !main.contains(node) && !(node.getRootNode().host)
                || (node !== main && ['auto', 'scroll'].includes(style.overflowX));
            const isOut = box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
            if (!inner && isOut && isOwn(node)) found.push(`cut: ${name(node)}`);
            look(node, inner);
            if (node.shadowRoot) look(node.shadowRoot, inner);
        }
    };
    look(document.body, false);
    if (main.scrollWidth > innerWidth) found.push(`${main.scrollWidth} pixels wide`);
    for (const chart of document.querySelectorAll('[data-testid=stVegaLiteChart] svg.marks')) {
        if (!(chart.parentElement.ariaLabel?.length > 20)) found.push('a chart without words');
    }
    return found;
}"""

# Whether nothing has run or been about to be drawn for 400 ms, since a first question with a key.
QUIET = """(key) => {
    const app = document.querySelector('[data-testid=stApp]');
    const busy = app?.dataset.testScriptState !== 'notRunning' || document.querySelector(
        '[data-testid=stStatusWidget], [data-stale=true], [data-testid=stSkeleton]');
    if (busy || window.quiet?.key !== key) window.quiet = {key, since: performance.now()};
    return performance.now() - window.quiet.since > 400;
}"""

FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    # WebGL for the map, on a machine without a graphics card.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


@contextlib.contextmanager
def serve(store_path, folder, *arguments, prefix="", **environment):
    """Start the dashboard on a free loopback port, and give its address.

    `arguments` are further start options, `environment` further variables. No token is required
    unless `environment` sets one; `prefix`: that of the server's paths, as in "/tool".
    """
    if "STREETCLIP_TOKEN" not in environment:
        arguments = ("--no_token", *arguments)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/Home.py"]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    command += ["--server.port", str(port), "--server.fileWatcherType", "none"]
    command += ["--server.baseUrlPath", prefix]
    log_path = folder / f"server_{port}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--", "--db", str(store_path), *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}{prefix}"
            _wait_until_healthy(process, address, log_path)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_healthy(process, address, log_path):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log_path.read_text()[-2000:]}")


def chromium():
    """The installed browser; without one the test is skipped, or in CI failed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        reason = "no Chromium is installed; install one: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


class Visit:
    """A page of the browser that keeps every address it asked and every error it logged."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.asked, self.errors = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._keep_error)

    def _keep_error(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def go(self, address):
        """Go there and wait until nothing runs any more."""
        self.page.goto(address)
        self.settle()
        return self.page

    def settle(self):
        """Wait until the script has run and what it drew stands."""
        self.page.locator("[data-testid=stMain] h1").first.wait_for()
        self.page.wait_for_function(QUIET, arg=time.monotonic(), polling=30)
        return self.page

    def text(self):
        """What the page says, spaces made plain."""
        return self.page.inner_text("[data-testid=stMain]").replace("\u00a0", " ")

    def last_words(self):
        """The first lines of the page, what it waits for, and the errors: for a failed test."""
        from playwright.sync_api import Error

        try:
            app = self.page.locator("[data-testid=stApp]")
            state = app.evaluate(
                "app => app.dataset.testScriptState + ', ' + app.dataset.testConnectionState"
            )
            words = self.page.locator("body").inner_text(timeout=3000).splitlines()
            lines = [state, *filter(str.strip, words)][:100]
        except Error as error:
            lines = [f"nothing can be read: {error}"]
        return [*lines, *self.errors]

    def width(self):
        """Pixels that the page takes: more than the window's if it scrolls sideways."""
        return self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")

    def violations(self):
        """Serious faults of accessibility that axe finds, a line each."""
        from axe_playwright_python.sync_playwright import Axe

        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
            for each in Axe().run(self.page).response["violations"]
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    def faults(self, *forms, axe=True):
        """What keeps someone from using the page as it is now, in each of some forms."""
        found = []
        for size, colours in forms:
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
            deadline = time.monotonic() + 20
            while (each := self._faults(axe)) and time.monotonic() < deadline:
                self.page.wait_for_timeout(500)  # what is drawn for the form before
            found += [f"{size['width']} {colours}: {fault}" for fault in each]
        return found

    def _faults(self, axe):
        self.settle()
        return self.page.evaluate(FAULTS) + (self.violations() if axe else [])

    def strangers(self):
        """Addresses outside this machine that the page asked."""
        parts = [urlsplit(address) for address in self.asked]
        return [
            part.geturl()
            for part in parts
            if part.scheme not in {"data", "blob"} and part.hostname != "127.0.0.1"
        ]
