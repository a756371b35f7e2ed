"""Decide who reaches the dashboard: allowed hosts, exact origins, and tokens with their rights.

Streamlit's own checks let any Host pass, and look up the machine's outside address to judge a
foreign Origin. Here a request that is not allowed never gets that far. See SECURITY.md.
"""

import argparse
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.shell.rights import HEADER, Right
from streetclip.errors import ConfigError, shown

VARIABLE = "STREETCLIP_TOKEN"  # a token of one's own, to keep links over restarts
PARAMETER = "token"
_LEAST_CHARACTERS = 16  # of a token that the user sets
_HEALTH = "/_stcore/health"  # says "ok" and nothing else; launchers wait for it
_UPLOAD = "/_stcore/upload_file"

_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_WHAT = {
    Right.LOOK: "looks",
    Right.ANNOTATE: "looks and annotates",
    Right.RUN_JOBS: "looks, annotates and runs jobs",
}
_REACHABLE = """\
  WARNING: other machines can reach address {address}. What is sent is not encrypted unless TLS is
  in front. For yourself alone, leave --server.address out and use an SSH tunnel."""
_OPEN_TO_ALL = """\
  WARNING: started with --no_token: everyone who reaches it {what}. Put a login in front."""
_SIGN_IN_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>StreetCLIP: token required</title>
<style>:root{{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}}body{{max-width:34rem;
margin:15vh auto;padding:0 1rem}}input,button{{font:inherit;padding:.4rem .6rem}}</style></head>
<body><h1>Token required</h1><p>{problem} Open the link that was printed where the dashboard was
started, or enter its token.</p><form method="get"><label>Token <input type="password" name="token"
autocomplete="off" required autofocus></label> <button>Open</button></form></body></html>"""


@dataclass(frozen=True)
class Access:
    """Who may do what.

    Attributes:
        token: Gives every right; None where a login in front of the dashboard decides.
        highest: No visitor has a higher right.
        hosts: Further names that the dashboard is reached by, in lower case.
        origins: Further origins, such as that of a proxy: "https://hub.example.org".
        cookie: The cookie's name; dashboards on two ports of a machine share their cookies.
    """

    token: str | None
    highest: Right = Right.RUN_JOBS
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    cookie: str = "streetclip_token"

    @classmethod
    def of_arguments(cls, words: Sequence[str], variables: Mapping[str, str], port: int) -> Self:
        """Read `--no_token --read_only --no_jobs --allowed_host NAME… --allowed_origin URL…`.

        Raises ConfigError for an option that the dashboard lacks, an origin that is none, and a
        token of STREETCLIP_TOKEN that is short or no cookie can hold.
        """
        given = _parsed(words)
        token = variables.get(VARIABLE) or secrets.token_urlsafe(24)
        if len(token) < _LEAST_CHARACTERS or not (token.isascii() and token.isprintable()):
            msg = f"{VARIABLE}: expected at least {_LEAST_CHARACTERS} characters of printable ASCII"
            raise ConfigError(msg)
        highest = Right.ANNOTATE if given.no_jobs else Right.RUN_JOBS
        return cls(
            token=None if given.no_token else token,
            highest=Right.LOOK if given.read_only else highest,
            hosts=frozenset(each.lower() for each in given.allowed_host),
            origins=frozenset(map(_origin, given.allowed_origin)),
            cookie=f"streetclip_token_{port}",
        )

    def tokens(self) -> dict[Right, str]:
        """Return the token of each right; a lower one is derived from the start token."""
        if self.token is None:
            return {}
        return {
            right: self.token
            if right == self.highest
            else hmac.digest(self.token.encode(), right.name.encode(), "sha256").hex()[:32]
            for right in Right
            if right <= self.highest
        }

    def right_of(self, token: str) -> Right | None:
        """Return the right that a token gives; None for a wrong one."""
        given = token.encode()
        equal = {
            right: hmac.compare_digest(each.encode(), given)
            for right, each in self.tokens().items()
        }
        return max((right for right, is_equal in equal.items() if is_equal), default=None)

    def allows_host(self, host: str | None) -> bool:
        """Check the Host header. No foreign page can make a browser send an address as its name."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        bare = f"[{name}]" if ":" in name else name
        if (host or "").lower() not in {bare, f"{bare}:{port}"}:  # more than a name and a port
            return False
        return name in {"localhost", socket.gethostname().lower(), *self.hosts} or _is_ip(name)

    def allows_origin(self, origin: str | None, scheme: str, host: str) -> bool:
        """Check the Origin header of a request to `scheme://host`; None where none was sent."""
        own = f"{'https' if scheme in ('https', 'wss') else 'http'}://{host.lower()}"
        return origin is None or origin.lower() == own or origin.lower() in self.origins


class Gate:
    """ASGI middleware that lets allowed requests pass, with the visitor's right as a header."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, ask for the token or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = self._admit(scope)
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accepting: HTTP 403
        else:
            await answer(scope, receive, _with_headers(send))

    def _admit(self, scope: Scope) -> Response | None:
        """Write the right into the request; return the answer to one that may not pass."""
        access = self._access
        if problem := self._foreign(scope):
            return PlainTextResponse(problem, 403)
        if access.token is None:
            right: Right | None = access.highest
        elif scope["path"].endswith(_HEALTH):
            right = Right.LOOK
        else:
            right = access.right_of(HTTPConnection(scope).cookies.get(access.cookie, ""))
        given = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["type"] == "http" and access.token is not None and PARAMETER in given:
            return self._sign_in(scope, given[PARAMETER])
        if right is None:
            return HTMLResponse(_SIGN_IN_PAGE.format(problem="This dashboard is protected."), 403)
        if _UPLOAD in scope["path"] and right < Right.RUN_JOBS:
            return PlainTextResponse("Only those who may run jobs may send files.", 403)
        # Streamlit would judge the Origin again, and ask an outside address for the machine's own.
        dropped = (HEADER.encode(), b"origin")
        kept = [pair for pair in scope["headers"] if pair[0] not in dropped]
        scope["headers"] = [*kept, (HEADER.encode(), str(int(right)).encode())]
        return None

    def _foreign(self, scope: Scope) -> str:
        """Describe what is foreign about a request; "" if nothing is."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if not self._access.allows_host(host):
            return _foreign_host(host)
        if not self._access.allows_origin(origin, scope["scheme"], host or ""):
            return _foreign_origin(origin)
        is_socket = scope["type"] == "websocket"
        return "A WebSocket requires the header Origin." if is_socket and origin is None else ""

    def _sign_in(self, scope: Scope, token: str) -> Response:
        """Keep the token of a link as a cookie, and leave it out of the address."""
        if self._access.right_of(token) is None:
            return HTMLResponse(_SIGN_IN_PAGE.format(problem="This token is not valid."), 403)
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = urlencode([pair for pair in pairs if pair[0] != PARAMETER])
        name = scope["path"].rpartition("/")[2]
        answer = RedirectResponse(f"./{name}?{query}" if query else f"./{name}", 303)
        answer.set_cookie(
            self._access.cookie,
            token,
            path=None,  # where the page lies: behind a proxy, other programs share the host
            httponly=True,
            samesite="lax",
            secure=scope["scheme"] == "https",
        )
        return answer


def announcement(access: Access, address: str, url: str) -> str:
    """Write the links to open, one for each right, and a warning if others can reach them."""
    lines = [""]
    if not is_loopback(address):
        lines.append(_REACHABLE.format(address=address))
        if access.token is None:
            lines.append(_OPEN_TO_ALL.format(what=_WHAT[access.highest]))
        lines.append("")
    links = {
        right: f"{url}/?{urlencode({PARAMETER: token})}" for right, token in access.tokens().items()
    }
    lines.append("  StreetCLIP dashboard. Open:")
    lines += [f"    {links[each]}   ({_WHAT[each]})" for each in sorted(links, reverse=True)]
    if not links:
        lines.append(f"    {url}   (no token: {_WHAT[access.highest]})")
    return "\n".join([*lines, ""])


def is_loopback(address: str) -> bool:
    """Check whether only this machine reaches an address."""
    return address == "localhost" or (_is_ip(address) and ipaddress.ip_address(address).is_loopback)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """Parse all options of the dashboard: a misspelt `--read_only` must not be passed over."""
    parser = argparse.ArgumentParser(
        "streamlit run dashboard/Home.py --", allow_abbrev=False, exit_on_error=False
    )
    for name in ("--no_token", "--read_only", "--no_jobs"):
        parser.add_argument(name, action="store_true")
    for name in ("--db", "--root", "--max_jobs", "--allowed_host", "--allowed_origin"):
        parser.add_argument(name, action="append", default=[])
    try:
        given, unknown = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        msg = f"{error}. See: {parser.prog} --help"
        raise ConfigError(msg) from error
    if unknown:
        msg = f"{shown(unknown[0])} is no option of the dashboard. See: {parser.prog} --help"
        raise ConfigError(msg)
    return given


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        msg = f"--allowed_origin {text!r}; expected scheme and host, as in https://hub.example.org"
        raise ConfigError(msg)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _foreign_host(host: str | None) -> str:
    name = "" if host is None else f" {host!r}"
    return (
        f"The Host{name} is not one that this dashboard is reached by. If it is yours, start the "
        "dashboard with: -- --allowed_host NAME"
    )


def _foreign_origin(origin: str | None) -> str:
    return (
        f"The Origin {origin!r} is not the dashboard's own. If it is that of your proxy, start the "
        "dashboard with: -- --allowed_origin https://NAME"
    )


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return wrapped
