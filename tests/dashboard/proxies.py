"""A reverse proxy in front of the dashboard, as hubs and web servers put one there."""

import asyncio
import contextlib
import ssl
import subprocess
import sys
from pathlib import Path

_CERTIFICATE = Path(__file__).with_name("proxy.pem")  # self-signed, of these tests alone


@contextlib.contextmanager
def proxy(address, prefix, *, strips, has_tls=False):
    """Serve `address` below a prefix, which the proxy strips or keeps; give the new address."""
    scheme = "https" if has_tls else "http"
    words = [address.rpartition(":")[2], prefix if strips else "", scheme]
    with subprocess.Popen(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}{prefix}"
        finally:
            process.terminate()


async def _serve(upstream, stripped, scheme):
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_CERTIFICATE)

    async def handle(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            back, forth = await asyncio.open_connection("127.0.0.1", upstream)
            forth.write(_rewritten(head, stripped, scheme))
            await asyncio.gather(_pipe(reader, forth), _pipe(back, writer))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _rewritten(head, stripped, scheme):
    """Strip the prefix; one request a connection, unless it is a WebSocket."""
    request, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, path, version = request.split(b" ")
    if b"upgrade: websocket" not in head.lower():
        headers = [each for each in headers if not each.lower().startswith(b"connection:")]
        headers.append(b"Connection: close")
    if scheme == "https":
        headers.append(b"X-Forwarded-Proto: https")
    path = path.removeprefix(stripped.encode()) or b"/"
    return b"\r\n".join([b" ".join([method, path, version]), *headers, b"", b""])


async def _pipe(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), *sys.argv[2:]))
