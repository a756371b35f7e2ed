"""Who reaches the dashboard: hosts, origins, tokens and their rights, on pages and sockets."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboard.access import Access, Gate, announcement, is_loopback
from dashboard.shell.rights import HEADER, Right
from streetclip.errors import ConfigError

TOKEN = "a-token-of-the-tests"
HERE = "http://localhost:8501"
SOCKET = "ws://localhost:8501/_stcore/stream"
FOREIGN_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "",
    "[",
    "127.0.0.1.nip",
    "evil@localhost",
    "localhost/evil",
    "localhost#.evil.example",
    "localhost?.evil.example",
    "[::1].evil.example",
    "localhost:x",
    "localhost:99999",
    "localhost.",
    "2130706433",
]
OWN_HOSTS = ["localhost:8501", "127.0.0.1:1", "[::1]:8501", "10.0.0.7", "LOCALHOST"]
FOREIGN_ORIGINS = [
    "http://localhost:9999",
    "https://localhost:8501",
    "http://127.0.0.1:8501",
    "http://x",
    "null",
    "",
]


async def headers_of(request):
    return JSONResponse(dict(request.headers))


async def socket(websocket):
    await websocket.accept()
    await websocket.send_json(dict(websocket.headers))
    await websocket.close()


def client(access, base_url=HERE, **options):
    routes = [
        Route("/{path:path}", headers_of, methods=["GET", "POST", "PUT"]),
        WebSocketRoute("/_stcore/stream", socket),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, access=access)])
    return TestClient(app, base_url=base_url, follow_redirects=False, **options)


def with_cookie(token):
    access = Access(TOKEN)
    return client(access, cookies={access.cookie: token})


def socket_headers(given, headers):
    with given.websocket_connect(SOCKET, headers=headers) as opened:
        return opened.receive_json()


@pytest.mark.parametrize("path", ["", "map", "media/x.png", "_stcore/host-config", "static/a.js"])
def test_nothing_is_answered_without_the_token(path):
    answer = client(Access(TOKEN)).get(f"/{path}")
    assert answer.status_code == 403
    assert "Token required" in answer.text


def test_only_the_health_of_the_server_is_told_to_anybody():
    assert client(Access(TOKEN)).get("/_stcore/health").status_code == 200
    assert client(Access(TOKEN)).get("/_stcore/metrics").status_code == 403


def test_a_link_with_the_token_becomes_a_cookie_and_an_address_without_it():
    visitor = client(Access(TOKEN))
    answer = visitor.get(f"/map?run=2&token={TOKEN}&tag=a&tag=")
    assert answer.status_code == 303
    assert answer.headers["location"] == "./map?run=2&tag=a&tag="
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert visitor.get("/map?run=2").status_code == 200


@pytest.mark.parametrize(
    ("path", "location"), [("/", "./"), ("/map", "./map"), ("/tool/", "./"), ("/tool/map", "./map")]
)
def test_the_address_without_the_token_lies_below_the_same_prefix(path, location):
    answer = client(Access(TOKEN)).get(f"{path}?token={TOKEN}")
    assert answer.headers["location"] == location
    assert "path=" not in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("token", ["", "x", TOKEN + "x", TOKEN[:-1], "é" * 20, "\0"])
def test_a_wrong_token_opens_nothing(token):
    visitor = client(Access(TOKEN))
    answer = visitor.get("/map", params={"token": token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("right", list(Right))
def test_each_right_has_a_token_that_gives_it_and_no_more(right):
    token = Access(TOKEN).tokens()[right]
    answer = with_cookie(token).get("/map", headers={HEADER: "2"})
    assert answer.json()[HEADER] == str(int(right))  # not what the visitor wrote
    socket = socket_headers(with_cookie(token), {"origin": HERE, HEADER: "2"})
    assert socket[HEADER] == str(int(right))


def test_the_tokens_of_lower_rights_do_not_tell_the_others():
    tokens = Access(TOKEN).tokens()
    assert len(set(tokens.values())) == 3
    for right in (Right.LOOK, Right.ANNOTATE):
        assert Access(tokens[right]).right_of(TOKEN) is None


@pytest.mark.parametrize(
    ("words", "highest"),
    [
        ([], Right.RUN_JOBS),
        (["--no_jobs"], Right.ANNOTATE),
        (["--read_only"], Right.LOOK),
        (["--no_jobs", "--read_only"], Right.LOOK),
    ],
)
def test_nobody_has_a_higher_right_than_the_start_allows(words, highest):
    access = Access.of_arguments(words, {"STREETCLIP_TOKEN": TOKEN}, 8501)
    assert list(access.tokens()) == [right for right in Right if right <= highest]
    assert access.right_of(TOKEN) == highest
    everyone = Access.of_arguments(["--no_token", *words], {}, 8501)
    assert client(everyone).get("/map").json()[HEADER] == str(int(highest))


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused_on_pages_and_sockets(host):
    for access in (Access(TOKEN), Access(None)):
        visitor = client(access, cookies={access.cookie: TOKEN})
        answer = visitor.get("/map", headers={"host": host})
        assert answer.status_code == 403
        assert "--allowed_host" in answer.text
        with pytest.raises(WebSocketDisconnect):
            socket_headers(visitor, {"host": host, "origin": f"http://{host}"})


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_names_of_this_machine_and_addresses_are_allowed(host):
    assert with_cookie(TOKEN).get("/map", headers={"host": host}).status_code == 200


def test_another_name_is_allowed_where_the_start_says_so():
    access = Access.of_arguments(["--allowed_host", "Hub.Example.Org", "--no_token"], {}, 8501)
    visitor = client(access, base_url="https://hub.example.org")
    assert visitor.get("/map", headers={"origin": "https://hub.example.org"}).status_code == 200
    assert visitor.get("/map", headers={"origin": "http://hub.example.org"}).status_code == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused_on_every_route_and_socket(origin):
    for access in (Access(TOKEN), Access(None)):
        visitor = client(access, cookies={access.cookie: TOKEN})
        for method in ("GET", "POST", "PUT"):
            answer = visitor.request(method, "/_stcore/upload_file/a", headers={"origin": origin})
            assert answer.status_code == 403
        with pytest.raises(WebSocketDisconnect):
            socket_headers(visitor, {"origin": origin})


def test_only_who_may_run_jobs_may_send_files():
    access = Access(TOKEN)
    for right, token in access.tokens().items():
        visitor = client(access, cookies={access.cookie: token})
        answer = visitor.put("/_stcore/upload_file/a/b", headers={"origin": HERE})
        assert (answer.status_code == 403) == (right < Right.RUN_JOBS)


def test_a_socket_requires_an_origin_and_a_token():
    with pytest.raises(WebSocketDisconnect):
        socket_headers(with_cookie(TOKEN), {})
    with pytest.raises(WebSocketDisconnect):
        socket_headers(client(Access(TOKEN)), {"origin": HERE})


def test_the_origin_of_a_proxy_is_allowed_where_the_start_says_so():
    words = ["--allowed_origin", "https://hub.example.org/", "--no_token"]
    visitor = client(Access.of_arguments(words, {}, 8501))
    assert socket_headers(visitor, {"origin": "https://hub.example.org"})
    for text in ("hub.example.org", "https://hub.example.org/path", "file:///x", ""):
        with pytest.raises(ConfigError, match="--allowed_origin"):
            Access.of_arguments(["--allowed_origin", text], {}, 8501)


def test_streamlit_does_not_see_an_origin_that_it_would_ask_the_network_about():
    passed = with_cookie(TOKEN).get("/map", headers={"origin": HERE}).json()
    assert "origin" not in passed


def test_every_answer_forbids_framing_and_sniffing():
    for answer in (with_cookie(TOKEN).get("/map"), client(Access(TOKEN)).get("/map")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_a_short_token_is_refused_and_a_drawn_one_is_long():
    with pytest.raises(ConfigError, match="at least 16"):
        Access.of_arguments([], {"STREETCLIP_TOKEN": "short"}, 8501)
    drawn = {Access.of_arguments([], {}, 8501).token for _ in range(10)}
    assert len(drawn) == 10
    assert min(map(len, drawn)) == 32


def test_the_printed_links_warn_of_an_address_that_others_reach():
    inside = announcement(Access(TOKEN), "localhost", HERE)
    assert f"{HERE}/?token={TOKEN}" in inside
    assert "WARNING" not in inside
    outside = announcement(Access(TOKEN), "0.0.0.0", HERE)
    assert outside.count("WARNING") == 1
    assert announcement(Access(None), "0.0.0.0", HERE).count("WARNING") == 2
    assert [is_loopback(each) for each in ("127.0.0.5", "::1", "::", "x")] == [1, 1, 0, 0]


@pytest.mark.parametrize("other", ['a={"x": 1}', "a[b]=c", "a=\xe9", "=", "a=b, c", 'a="b'])
def test_cookies_of_other_programs_lock_nobody_out(other):
    access = Access(TOKEN)
    for cookie in (f"{other}; {access.cookie}={TOKEN}", f"{access.cookie}={TOKEN}; {other}"):
        headers = {"cookie": cookie.encode("latin-1")}
        assert client(access).get("/map", headers=headers).status_code == 200


@pytest.mark.parametrize("token", ["q+/=" * 6, 'a&b#c%41;d,"\\e ' * 2, "~!@$^*()_{}|:<>?"])
def test_a_token_of_any_signs_makes_a_link_that_opens(token):
    access = Access.of_arguments([], {"STREETCLIP_TOKEN": token}, 8501)
    link = announcement(access, "localhost", HERE).split("Open:")[1].split()[0]
    visitor = client(access)
    assert visitor.get(link).status_code == 303
    assert visitor.get("/map").json()[HEADER] == str(int(Right.RUN_JOBS))


@pytest.mark.parametrize("token", ["пароль, который длинный", "line\nbreak of a token", "x" * 15])
def test_a_token_that_no_cookie_holds_is_refused_at_the_start(token):
    with pytest.raises(ConfigError, match="STREETCLIP_TOKEN"):
        Access.of_arguments([], {"STREETCLIP_TOKEN": token}, 8501)


@pytest.mark.parametrize(
    "words",
    [["--readonly"], ["--read-only"], ["--read_only=true"], ["--no_job"], ["x"], ["--db"]],
)
def test_an_option_that_does_not_exist_stops_the_start(words):
    with pytest.raises(ConfigError, match="--help"):
        Access.of_arguments(words, {}, 8501)
