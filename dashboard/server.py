"""Extend Streamlit's server: a page that loads nothing from elsewhere, and a fast first visit.

A page such as `/map` first looks for its backend below its own address; with the address in the
page it need not. The policy lets no text from a file load anything from elsewhere.
"""

import contextlib
import gc
import importlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

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


class OwnPage(BaseHTTPMiddleware):
    """Middleware that rewrites the one HTML page of the dashboard, and nothing else."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass a request on; rewrite the answer to a page that a browser opens."""
        if "text/html" not in request.headers.get("accept", ""):
            return await call_next(request)
        given = request.scope["headers"]
        request.scope["headers"] = [pair for pair in given if pair[0] not in _NOT_PASSED_ON]
        answer: Any = await call_next(request)
        if answer.headers.get("content-type", "").startswith("text/html"):
            page = b"".join([part async for part in answer.body_iterator])
            page = page.replace(b"<head>", b"<head>" + BACKEND, 1)
            answer.body_iterator = _once(page)
            for name in ("etag", "last-modified"):  # of the page before it was rewritten
                del answer.headers[name]
            answer.headers["content-length"] = str(len(page))
            answer.headers["content-security-policy"] = POLICY
        return answer  # type: ignore[no-any-return]


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
