"""The pages of the web server, and the headers that keep browsers from doing more than they should."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

from grpc_chat._version import __version__
from grpc_chat.api.downloads import Response
from grpc_chat.transport.web_client import Built, WebClient, web_client
from grpc_chat.transport.web_options import LOGIN_BACK

ALWAYS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""For each answer."""

DATA = ALWAYS | {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For answers that are no pages."""

_PAGE = ALWAYS | {
    "Cache-Control": "no-cache",
    # Scripts and styles of the server's own, in files; none in pages, none made of text. The one policy of
    # Trusted Types is for the addresses of its workers. What is about to be sent is shown from `blob:`.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types grpc-chat",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


class Pages:
    """Answers requests for pages: those of the web client, and one that says what the server is.

    Args:
        grpc_address: Where clients in a terminal reach the server.
        client: The web client; ``None`` for the one that is installed.
    """

    def __init__(self, grpc_address: Callable[[], str], client: WebClient | None = None) -> None:
        self._grpc_address = grpc_address
        self._client = client

    def answer(self, method: str, path: str, own: str, headers: Mapping[str, str]) -> Response:
        """What to answer.

        Args:
            own: The server's origin, as the browser knows it.
            headers: By their names in lower case.
        """
        client = self._client or web_client()
        file = client.find(path)
        if not file and path not in ("/", LOGIN_BACK, "/about", "/style.css", "/robots.txt"):
            return said(404, "There is nothing here.")
        if method not in ("GET", "HEAD"):
            return said(405, "Pages can be read, and nothing else.", Allow="GET, HEAD")
        if file:
            return _file_of_client(file, headers)
        if path == "/robots.txt":
            return said(200, "User-agent: *\nDisallow: /\n")
        if path == "/style.css":
            return _found("text/css", _file("style.css"))
        text = _file("index.html").format(
            version=html.escape(__version__),
            url=html.escape(own or "http://HOST:PORT"),
            grpc=html.escape(self._grpc_address()),
        )
        return _found("text/html", text)


def said(status: int, text: str, **headers: str) -> Response:
    """A sentence as an answer."""
    told = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text.encode()))}
    return Response(status, DATA | told | {k.replace("_", "-"): v for k, v in headers.items()}, text)


def _found(kind: str, text: str) -> Response:
    told = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(text.encode()))}
    return Response(200, _PAGE | told, text)


def _file_of_client(file: Built, headers: Mapping[str, str]) -> Response:
    told = _PAGE | {"Cache-Control": file.cache_control, "ETag": file.etag, "Vary": "Accept-Encoding"}
    if file.etag in headers.get("if-none-match", ""):
        return Response(304, told)
    data = file.data
    if file.gzipped and _takes_gzip(headers.get("accept-encoding", "")):
        data = file.gzipped
        told["Content-Encoding"] = "gzip"
    return Response(200, told | {"Content-Type": file.kind, "Content-Length": str(len(data))}, data)


def _takes_gzip(accepted: str) -> bool:
    for encoding in accepted.lower().split(","):
        name, _, quality = encoding.partition(";")
        if name.strip() == "gzip":
            return quality.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


@cache
def _file(name: str) -> str:
    return (resources.files("grpc_chat") / "web" / name).read_text()
