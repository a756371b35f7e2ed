"""Extend Streamlit's server: a page that loads nothing from elsewhere, and a fast first visit.

A page such as `/map` looks for its backend below its own address first, which costs a round trip
and leaves two failed requests in the browser's console; with the address in the page it does not.
The policy lets the browser load nothing from elsewhere, so that no text from a file can make it.
"""

import contextlib
import gc
import importlib
import threading
from collections.abc import AsyncIterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BACKEND = b"<script>window.__streamlit={BACKEND_BASE_URL:location.origin+'/'}</script>"
POLICY = (
    # Streamlit's own scripts, Vega's compiled expressions and components' modules need the rest.
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
_NOT_PASSED_ON = (b"accept-encoding", b"if-none-match", b"if-modified-since")


@contextlib.asynccontextmanager
async def warm_start(app: ASGIApp) -> AsyncIterator[None]:  # noqa: ARG001 -- Starlette's signature
    """Load what the pages need while the server starts, so that no visitor waits for it."""
    threading.Thread(target=load_pages, name="warm-up", daemon=True).start()
    yield


def load_pages() -> None:
    """Import the pages, and read what all of them need of the gazetteer."""
    importlib.import_module("dashboard.navigation")
    importlib.import_module("streetclip.gazetteer").countries()
    importlib.import_module("streetclip.gazetteer.outlines").outline_topojson()
    gc.collect()
    gc.freeze()  # all of it stays: a collection that walks it would stop a page for 70 ms


class OwnPage:
    """Middleware that rewrites the one HTML page of the dashboard, and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; rewrite the answer to a page that a browser opens."""
        if scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", ""):
            headers = [pair for pair in scope["headers"] if pair[0] not in _NOT_PASSED_ON]
            await self.app({**scope, "headers": headers}, receive, _rewriter(send))
        else:
            await self.app(scope, receive, send)


def _rewriter(send: Send) -> Send:
    """Hold an answer back until it is whole; send it on, rewritten if it is a page."""
    start: Message = {}
    body = b""

    async def hold(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
            return
        if message["type"] != "http.response.body":
            await send(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            headers = MutableHeaders(raw=start["headers"])
            if headers.get("content-type", "").startswith("text/html"):
                body = body.replace(b"<head>", b"<head>" + BACKEND, 1)
                for name in ("etag", "last-modified"):  # of the page before it was rewritten
                    del headers[name]
                headers["content-length"] = str(len(body))
                headers["content-security-policy"] = POLICY
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": body})

    return hold
