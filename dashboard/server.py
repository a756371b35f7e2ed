"""Extend Streamlit's server: who may reach it, nothing loaded from elsewhere.

A page such as `/map` first looks for its backend below its own address; with the address in the
page it need not, and finds it behind any prefix, one that a proxy strips included. The policy lets
no text from a file load anything from elsewhere.
"""

import contextlib
import functools
import gc
import importlib
import os
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from streamlit import config
from streamlit.web.server.server_util import get_display_address, get_url

from dashboard.access import Access, Gate, announcement
from streetclip.errors import ConfigError

# The address without its last parts, which name a page; the browser alone knows a proxy's prefix.
BACKEND = (
    "<script>window.__streamlit={{BACKEND_BASE_URL:"
    "location.origin+location.pathname.split('/').slice(0,-{depth}).join('/')+'/'}}</script>"
)
POLICY = (
    # Streamlit's own scripts, Vega's compiled expressions and components' modules need the rest.
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_NOT_PASSED_ON = (b"accept-encoding", b"if-none-match", b"if-modified-since")


@functools.cache
def access() -> Access:
    """Read once who may reach this server; the token lasts until it stops."""
    try:
        return Access.of_arguments(sys.argv[1:], os.environ, config.get_option("server.port"))
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


def middleware() -> list[Middleware]:
    """List what every request passes, the outermost first."""
    return [Middleware(Gate, access=access()), Middleware(OwnPage)]


def routes() -> list[Route]:
    """List what the server answers besides Streamlit's own paths.

    Those are images, whole and in tiles, and the name of the first page, whose address is "".
    """
    whole = f"{_prefix()}/image/{{image_id:int}}"
    images = (whole, whole + "/{level:int}/{column:int}/{row:int}")
    first = Route(f"{_prefix()}/overview", _first_page)
    return [first, *(Route(each, _image) for each in images)]


async def _first_page(request: Request) -> Response:
    query = request.url.query
    # Relative: the browser alone knows a proxy's prefix.
    return RedirectResponse(f"./?{query}" if query else "./")


async def _image(request: Request) -> Response:
    from dashboard.images import photo_server  # by the warm-up, not before the server starts

    return await photo_server.answer(request)


@contextlib.asynccontextmanager
async def warm_start(app: ASGIApp) -> AsyncIterator[None]:  # noqa: ARG001 -- Starlette's signature
    """Print where to open the dashboard; load what the pages need before anybody waits for it."""
    address = config.get_option("server.address") or "0.0.0.0"  # noqa: S104 -- Streamlit's default
    url = get_url(get_display_address(address))
    sys.stdout.write(announcement(access(), address, url) + "\n")
    sys.stdout.flush()
    threading.Thread(target=load_pages, name="warm-up", daemon=True).start()
    yield


def load_pages() -> None:
    """Import the pages, and read what all of them need of the gazetteer."""
    importlib.import_module("dashboard.navigation")
    importlib.import_module("dashboard.images.photo_server")
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
            script = BACKEND.format(depth=_depth(request.scope["path"])).encode()
            page = page.replace(b"<head>", b"<head>" + script, 1)
            answer.body_iterator = _once(page)
            for name in ("etag", "last-modified"):  # of the page before it was rewritten
                del answer.headers[name]
            answer.headers["content-length"] = str(len(page))
            answer.headers["content-security-policy"] = POLICY
        return answer


def _depth(path: str) -> int:
    """Count the slashes of a request's path after the server's own prefix."""
    return path.removeprefix(_prefix()).count("/")


def _prefix() -> str:
    return f"/{config.get_option('server.baseUrlPath').strip('/')}".rstrip("/")


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
