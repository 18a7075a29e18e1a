"""The web client as it was built: which of its files the server has, and how browsers may keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}

_NAMED_BY_CONTENT = "/assets/"

PLACES = frozenset(
    (
        "admin",
        "browse",
        "inbox",
        "log-in",
        "mentions",
        "new-room",
        "people",
        "rooms",
        "saved",
        "scheduled",
        "search",
        "settings",
        "threads",
    )
)
"""How the paths of its pages begin, but for `/`: web/src/shell/routes.tsx. They are all one page."""

_PAGE = "/index.html"


@dataclass(frozen=True, slots=True)
class Built:
    """A file of the client.

    Attributes:
        gzipped: The same, compressed; empty where that is not worth it.
    """

    kind: str
    data: bytes
    gzipped: bytes
    etag: str
    cache_control: str


class WebClient:
    """The client's files, in memory.

    Args:
        files: By their paths, with those that are compressed beside the others, ``.gz``.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {
            path: Built(
                kind=_KINDS[kind],
                data=data,
                gzipped=files.get(f"{path}.gz", b""),
                etag=f'"{hashlib.sha256(data).hexdigest()[:32]}"',
                cache_control="public, max-age=31536000, immutable"
                if path.startswith(_NAMED_BY_CONTENT)
                else "no-cache",
            )
            for path, data in files.items()
            if (kind := path.rpartition(".")[2]) in _KINDS
        }

    def find(self, path: str) -> Built | None:
        """What the client has at a path; ``None`` if it has nothing there, or was not built."""
        if path == "/" or path.removeprefix("/").partition("/")[0] in PLACES:
            return self._files.get(_PAGE)
        return self._files.get(path) if path != _PAGE else None


@cache
def web_client() -> WebClient:
    """The client that this installation has."""
    return WebClient(files_of_client())


def files_of_client() -> dict[str, bytes]:
    """What was built of the client, for :class:`WebClient`; nothing where it was not built."""
    return dict(_read(resources.files("grpc_chat") / "web" / "client", ""))


def _read(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{path}/{entry.name}")
        elif not entry.name.startswith("."):
            yield f"{path}/{entry.name}", entry.read_bytes()
