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
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 1000}

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
            process.wait(timeout=20)


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
        self.page.locator("[data-testid=stMain] h1").first.wait_for(timeout=60_000)
        self.page.wait_for_timeout(300)
        self.page.wait_for_function(
            "!document.querySelector('[data-testid=stStatusWidget]')"
            " && !document.querySelector('[data-stale=true]')"
            " && !document.querySelector('[data-testid=stSkeleton]')",
            timeout=60_000,
        )
        self.page.wait_for_timeout(300)
        return self.page

    def strangers(self):
        """Addresses outside this machine that the page asked."""
        parts = [urlsplit(address) for address in self.asked]
        return [
            part.geturl()
            for part in parts
            if part.scheme not in {"data", "blob"} and part.hostname != "127.0.0.1"
        ]
