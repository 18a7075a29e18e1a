"""The pages of the web server, and the headers that keep browsers from doing more than they should."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import cache
from importlib import resources

from grpc_chat._version import __version__
from grpc_chat.api.downloads import Response
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
    # Scripts and styles of the server's own, in files; none in pages, none made of text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


class Pages:
    """Answers requests for pages.

    Args:
        grpc_address: Where clients in a terminal reach the server.
    """

    def __init__(self, grpc_address: Callable[[], str]) -> None:
        self._grpc_address = grpc_address

    def answer(self, method: str, path: str, own: str) -> Response:
        """What to answer.

        Args:
            own: The server's origin, as the browser knows it.
        """
        if path not in ("/", LOGIN_BACK, "/style.css", "/robots.txt"):
            return said(404, "There is nothing here.")
        if method not in ("GET", "HEAD"):
            return said(405, "Pages can be read, and nothing else.", Allow="GET, HEAD")
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


@cache
def _file(name: str) -> str:
    return (resources.files("grpc_chat") / "web" / name).read_text()
