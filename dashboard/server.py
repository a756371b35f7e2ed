"""What the server adds to Streamlit: a page that asks nobody else, and a quick first visit.

A page such as `/map` looks for its backend below its own address first, which costs a round trip
and leaves two failed requests in the browser's console; told the address, it does not. And the
browser is told to load nothing from elsewhere, so that no text from a file can make it.
"""

import contextlib
import gc
import importlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BACKEND = b"<script>window.__streamlit={BACKEND_BASE_URL:location.origin+'/'}</script>"
POLICY = (
    # Streamlit's own scripts, Vega's compiled expressions and components' modules need the rest.
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
_NOT_PASSED_ON = ("accept-encoding", "if-none-match", "if-modified-since")
_NOT_TRUE_ANY_MORE = ("etag", "last-modified")


@contextlib.asynccontextmanager
async def warm_start(app: ASGIApp) -> AsyncIterator[None]:  # noqa: ARG001 -- Starlette's signature
    """Load what the pages need while the server starts, so that no visitor waits for it."""
    threading.Thread(target=load_pages, name="warm-up", daemon=True).start()
    yield


def load_pages() -> None:
    """Import the pages, and read what every one of them asks of the gazetteer."""
    importlib.import_module("dashboard.navigation")
    gazetteer = importlib.import_module("streetclip.gazetteer")
    gazetteer.countries()
    importlib.import_module("streetclip.gazetteer.outlines").outline_topojson()
    gc.collect()
    gc.freeze()  # all of it stays: looking through it again would stop a page for 70 ms


class OwnPage:
    """Middleware that rewrites the one HTML page of the dashboard, and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; of a page that a browser opens, rewrite the answer."""
        if scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", ""):
            names = [name.encode() for name in _NOT_PASSED_ON]
            headers = [pair for pair in scope["headers"] if pair[0] not in names]
            await self.app({**scope, "headers": headers}, receive, _Rewriter(send))
        else:
            await self.app(scope, receive, send)


class _Rewriter:
    """Holds an answer back until it is whole, and sends it on, rewritten if it is a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: dict[str, Any] = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            self._rewrite()
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._body})

    def _rewrite(self) -> None:
        headers = MutableHeaders(raw=self._start["headers"])
        if not headers.get("content-type", "").startswith("text/html"):
            return
        self._body = self._body.replace(b"<head>", b"<head>" + BACKEND, 1)
        for name in _NOT_TRUE_ANY_MORE:
            del headers[name]
        headers["content-length"] = str(len(self._body))
        headers["content-security-policy"] = POLICY
        self._start["headers"] = headers.raw
