"""The page that the server hands out: it names its backend and forbids everything foreign."""

import urllib.request

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit import config

from dashboard.server import BACKEND, POLICY, OwnPage

PAGE = "<!doctype html><html><head><title>é</title></head><body>" + "x" * 5000 + "</body></html>"


async def page(request):
    return HTMLResponse(PAGE, headers={"etag": "abc", "last-modified": "now"})


async def text(request):
    return PlainTextResponse("<head>")


@pytest.fixture(scope="module")
def client():
    routes = [Route("/page", page), Route("/tool/page", page), Route("/text", text)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(OwnPage)]))


def test_a_page_names_its_backend_first_of_all(client):
    answer = client.get("/page", headers={"accept": "text/html,*/*"})
    assert answer.text == PAGE.replace("<head>", "<head>" + BACKEND.format(depth=1))
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_the_prefix_of_the_server_belongs_to_its_address(client):
    answer = client.get("/tool/page", headers={"accept": "text/html"})
    assert BACKEND.format(depth=2) in answer.text
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", "tool")
    try:
        answer = client.get("/tool/page", headers={"accept": "text/html"})
    finally:
        config.set_option("server.baseUrlPath", before)
    assert BACKEND.format(depth=1) in answer.text


def test_a_page_may_load_nothing_from_elsewhere(client):
    answer = client.get("/page", headers={"accept": "text/html"})
    assert answer.headers["content-security-policy"] == POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


def test_a_rewritten_page_is_never_taken_for_the_unchanged_file(client):
    headers = {"accept": "text/html", "if-none-match": "abc"}
    answer = client.get("/page", headers=headers)
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert "last-modified" not in answer.headers


def test_other_answers_pass_unchanged(client):
    for accept in ("text/html", "*/*"):
        assert client.get("/text", headers={"accept": accept}).text == "<head>"
    assert client.get("/page", headers={"accept": "image/png"}).text == PAGE


@pytest.mark.browser
def test_every_page_of_the_dashboard_is_rewritten(site):
    for path in ("", "map", "failures"):
        asked = urllib.request.Request(f"{site.address}/{path}", headers={"Accept": "text/html"})
        with urllib.request.urlopen(asked) as answer:
            assert BACKEND.format(depth=1) in answer.read().decode()
            assert answer.headers["content-security-policy"] == POLICY
