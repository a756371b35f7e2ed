"""The dashboard as started by `streamlit run` from any folder: reached with its token alone."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from dashboard.access import Access
from dashboard.shell.rights import Right
from tests.dashboard.sites import DESK, ROOT, Visit, serve

TOKEN = "a-token-of-the-tests"


def status(address, **headers):
    """The status of an answer, and its text."""
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    with serve(folder / "streetclip.db", folder, STREETCLIP_TOKEN=TOKEN) as address:
        yield address


@pytest.mark.browser
def test_a_link_opens_every_page_and_no_token_opens_none(guarded, browser):
    visit = Visit(browser, viewport=DESK)
    visit.page.goto(f"{guarded}/map")
    assert visit.page.get_by_text("Token required").is_visible()
    page = visit.go(f"{guarded}/map?token={TOKEN}")
    assert "token" not in page.url
    assert page.get_by_role("heading", name="Map").first.is_visible()
    visit.go(f"{guarded}/accuracy")
    assert visit.strangers() == []


@pytest.mark.browser
def test_a_page_elsewhere_cannot_frame_the_dashboard_or_open_its_socket(guarded, browser, tmp_path):
    visit = Visit(browser, viewport=DESK)
    visit.go(f"{guarded}/?token={TOKEN}")
    elsewhere = tmp_path / "elsewhere.html"
    stream = guarded.replace("http", "ws") + "/_stcore/stream"
    elsewhere.write_text(
        f"<iframe src='{guarded}/jobs'></iframe><script>const s=new WebSocket('{stream}');"
        "s.onopen=()=>{document.title='open'};s.onerror=()=>{document.title='refused'}</script>"
    )
    page = visit.context.new_page()
    page.goto(elsewhere.as_uri())
    page.wait_for_function("document.title !== ''")
    assert page.title() == "refused"
    assert page.frames[1].url in {"", "chrome-error://chromewebdata/"}


def test_it_is_safe_wherever_it_is_started(tmp_path):
    (tmp_path / ".streamlit").mkdir()  # of the folder and of the home
    settings = (
        '[server]\naddress = "0.0.0.0"\n[client]\nallowedOrigins = ["https://evil.example"]\n'
    )
    (tmp_path / ".streamlit" / "config.toml").write_text(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "Home.py")]
    command += ["--server.port", str(port), "--", "--db", str(tmp_path / "streetclip.db")]
    log = tmp_path / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=out, stderr=out, env=os.environ | {"HOME": str(tmp_path)}
        )
    try:
        link = wait_for(r"http://localhost:\d+/\?token=\S+", log, process)
        assert listening(port) == {"127.0.0.1"}
        assert status(f"http://localhost:{port}/")[0] == 403
        assert "stcore" not in status(f"http://localhost:{port}/")[1]
        code, text = status(
            f"http://localhost:{port}/_stcore/host-config", Cookie=cookie(link, port)
        )
        assert (code, json.loads(text)["allowedOrigins"]) == (200, [])
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(pattern, log, process):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(pattern, log.read_text())
        if found:
            return found.group()
        time.sleep(0.2)
    return pytest.fail(f"not printed: {pattern}\n{log.read_text()}")


def cookie(link, port):
    return f"streetclip_token_{port}={link.partition('token=')[2]}"


def listening(port):
    """The addresses on which a port is open."""
    import psutil

    connections = psutil.net_connections("tcp")
    return {
        each.laddr.ip
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port
    }


def test_refused_sockets_ask_nothing_outside_and_hold_nobody_up(tmp_path):
    with socket.socket() as tarpit:  # accepts connections and never answers
        tarpit.bind(("127.0.0.1", 0))
        tarpit.listen()
        tarpit.setblocking(False)
        proxy = f"http://127.0.0.1:{tarpit.getsockname()[1]}"
        variables = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy)
        store_path = tmp_path / "streetclip.db"
        with serve(store_path, tmp_path, **variables, no_proxy="", NO_PROXY="") as address:
            for origin in ("http://evil.example", "http://localhost:1", "null"):
                for host in (address.partition("//")[2], "evil.example"):
                    assert "403" in handshake(address, host=host, origin=origin)
            began = time.monotonic()
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as page:
                assert page.status == 200
            assert time.monotonic() - began < 5
        with pytest.raises(BlockingIOError):
            tarpit.accept()


def handshake(address, host, origin):
    """The status line of the answer to an opening WebSocket."""
    name, port = address.partition("//")[2].split(":")
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        f"Origin: {origin}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.create_connection((name, int(port)), timeout=20) as opened:
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        return opened.recv(4096).decode().partition("\r\n")[0]


@pytest.mark.browser
def test_a_link_of_the_lowest_right_shows_pages_and_changes_nothing(site, browser, tmp_path):
    lowest = Access(TOKEN).tokens()[Right.LOOK]
    site.written.add_run()
    with serve(site.written.path, tmp_path, STREETCLIP_TOKEN=TOKEN) as address:
        visit = Visit(browser, viewport=DESK)
        page = visit.go(f"{address}/triage?token={lowest}")
        assert page.get_by_text("Your link does not allow annotations.").is_visible()
        assert page.get_by_role("button", name="Add tag").is_disabled()
        page.keyboard.press("1")
        page.wait_for_timeout(1000)
        assert page.locator("[data-tag][aria-pressed=true]").count() == 0
        page = visit.go(f"{address}/failures")
        page.locator("a.card").first.wait_for()
        assert page.locator("a.card").count() > 1
        assert page.get_by_role("checkbox", name="Select ").count() == 0
        page = visit.go(f"{address}/jobs")
        assert page.get_by_text("No jobs from here").is_visible()
        assert page.get_by_role("button", name="Start").count() == 0
