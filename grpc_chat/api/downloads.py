"""Files over plain HTTP, for browsers: what a request for a link is answered, whatever carries it.

A file comes from a stranger, and a browser does with a page what the page says. So nothing that can hold
scripts is ever shown: only images that the server has looked into are, and all else is for saving. The rules
are those of RFC 9110 (HTTP), 6266 and 8187 (names of files).
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import quote

from grpc_chat.core.file_links import PATH, FileLinks, Linked
from grpc_chat.core.files import Files
from grpc_chat.errors import ChatError, LimitExceeded, NotFound

log = logging.getLogger(__name__)

_SHOWN = {"image/png", "image/jpeg", "image/webp", "image/gif"}
# What no browser takes for a page, even where it would not do as it is told.
_HARMLESS = re.compile(r"(audio|video|image)/(?!svg)[\w.+-]+|application/(pdf|zip|gzip)|text/plain", re.ASCII)

_ALWAYS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A connection is for one request: a client that sends half of the next one holds up nothing.
    "Connection": "close",
}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered."""

    status: int
    headers: dict[str, str]
    text: str | bytes = ""
    content: AsyncGenerator[bytes] | None = field(default=None, compare=False)
    """Instead of a text. It MUST be closed. Where it raises at once, :func:`refused` is the answer instead;
    later, the answer must be cut off, so that nobody takes a part of it for the whole."""


class Downloads:
    """Answers requests for links to files."""

    def __init__(self, links: FileLinks, files: Files) -> None:
        self._links = links
        self._files = files

    async def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        """What to answer to a request.

        Args:
            headers: By their names in lower case.
        """
        if not path.startswith(PATH):
            return _said(404, "There is nothing here.")
        if method not in ("GET", "HEAD"):
            return _said(405, "Files can be downloaded, and nothing else.", Allow="GET, HEAD")
        try:
            linked = await self._links.open(path.removeprefix(PATH))
            return self._found(method, linked, headers)
        except ChatError as error:
            return refused(error)

    def _found(self, method: str, linked: Linked, headers: Mapping[str, str]) -> Response:
        file, preview = linked.file, linked.preview
        digest, size = (file.preview_digest, file.preview_size) if preview else (file.digest, file.size)
        etag = f'"{digest}"'
        told = _ALWAYS | {"Accept-Ranges": "bytes", "ETag": etag}
        if _names(headers.get("if-none-match", ""), etag):
            return Response(304, told)
        told |= _described(linked)
        status, offset, length = 200, 0, size
        if "range" in headers and headers.get("if-range", etag) == etag:
            asked = _range(headers["range"], size)
            if asked == (0, 0):
                return _said(416, "The file is shorter.", **{"Content-Range": f"bytes */{size}"})
            if asked:
                status, (offset, length) = 206, asked
                told["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{size}"
        told["Content-Length"] = str(length)
        content = self._content(linked, offset, length) if method == "GET" and length else None
        return Response(status, told, content=content)

    async def _content(self, linked: Linked, offset: int, length: int) -> AsyncGenerator[bytes]:
        with self._files.one_download(linked.caller):
            pieces = self._files.pieces(linked.caller, linked.file, offset, length, preview=linked.preview)
            async with aclosing(pieces):
                async for data in pieces:
                    yield data


def refused(error: ChatError) -> Response:
    """What to answer in place of a file."""
    if isinstance(error, NotFound):
        return _said(404, "There is no such file, or the link has expired.")
    if isinstance(error, LimitExceeded):
        return _said(429, "Too many downloads are under way. Try again later.", **{"Retry-After": "5"})
    log.warning("a download failed: %s", error)
    return _said(503, "The server can't answer now. Try again later.", **{"Retry-After": "5"})


def _described(linked: Linked) -> dict[str, str]:
    """What a browser is to do with a file."""
    if linked.preview:
        kind, shown, name = "image/webp", True, f"{linked.file.name}.webp"
    else:
        kind, name = linked.file.content_type, linked.file.name
        shown = bool(linked.file.width) and kind in _SHOWN
    if not _HARMLESS.fullmatch(kind):
        kind = "application/octet-stream"
    if kind == "text/plain":
        kind = "text/plain; charset=utf-8"
    return {"Content-Type": kind, "Content-Disposition": disposition(name, shown=shown)}


def disposition(name: str, *, shown: bool) -> str:
    """A Content-Disposition header: the name as it is, and one for programs that know only ASCII."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    # RFC 8187, section 3.2.1: attr-char.
    exact = quote(name, safe="!#$&+-.^_`|~", errors="replace")
    return f"{'inline' if shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def _names(given: str, etag: str) -> bool:
    """Whether an If-None-Match names a content."""
    return given.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(","))


def _range(given: str, size: int) -> tuple[int, int] | None:
    """Where a range begins, and how long it is; None for one that is to be passed over, as several at once
    are, and (0, 0) for one that the file does not have."""
    match = _RANGE.fullmatch(given.strip())
    if not match or match[1] == match[2] == "":
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, length) if length else (0, 0)
    begin = int(match[1])
    end = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < begin:
        return None
    return (begin, end - begin + 1) if begin < size else (0, 0)


def _said(status: int, text: str, **headers: str) -> Response:
    told = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text.encode()))}
    return Response(status, _ALWAYS | told | headers, text)
