"""What is answered at which path, with and without a web client."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from grpc_chat.api.downloads import Response
from grpc_chat.transport.web_client import PLACES, WebClient
from grpc_chat.transport.web_pages import Pages

PAGE, SCRIPT = b"<!doctype html>the page", b"let script" * 20
FILES = {
    "/index.html": PAGE,
    "/assets/a-1x.js": SCRIPT,
    "/assets/a-1x.js.gz": gzip.compress(SCRIPT),
    "/assets/a.map": b"{}",
    "/sw.js": b"worker",
}
ROUTES = Path(__file__).parents[3] / "web" / "src" / "shell" / "routes.tsx"


def answer(path: str, files: dict[str, bytes], method: str = "GET", **headers: str) -> Response:
    pages = Pages(lambda: "localhost:50051", WebClient(files))
    return pages.answer(
        method, path, "http://localhost", {k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.mark.parametrize("path", ["/", "/rooms/a%2Fb/threads/7", "/log-in/back", "/settings", "/people/x"])
def test_paths_of_the_client_are_its_page(path: str) -> None:
    """Which is asked for anew each time, and comes again only if it is another one."""
    found = answer(path, FILES)
    assert (found.status, found.text, found.headers["Cache-Control"]) == (200, PAGE, "no-cache")
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer(path, FILES, if_none_match=found.headers["ETag"]).status == 304
    assert answer(path, FILES, if_none_match='"another"').status == 200


def test_files_named_by_their_content_are_kept() -> None:
    """For a year; others are asked for each time. Both may do what the page may: workers are such files."""
    kept, asked = answer("/assets/a-1x.js", FILES), answer("/sw.js", FILES)
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asked.headers["Cache-Control"] == "no-cache"
    assert kept.headers["Content-Security-Policy"] == answer("/", FILES).headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, br", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_what_was_compressed_once_goes_to_those_who_take_it(accepted: str, packed: bool) -> None:
    """And the length is that of what goes."""
    found = answer("/assets/a-1x.js", FILES, accept_encoding=accepted)
    assert isinstance(found.text, bytes)
    assert found.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(found.text) if packed else found.text) == SCRIPT
    assert found.headers["Content-Length"] == str(len(found.text))
    assert found.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/assets/",
        "/assets/b.js",
        "/assets/a-1x.js.gz",
        "/assets/a.map",
        "//rooms",
        "/x",
        "*",
        "",
    ],
)
def test_nothing_else_is_there(path: str) -> None:
    """No other file of the folder, and no page under a name that is not the client's."""
    assert answer(path, FILES).status == 404


def test_without_a_client_the_server_says_what_it_is() -> None:
    """With the client, too, at another address."""
    [about, first, back] = [
        answer("/about", FILES),
        *(answer(path, {}) for path in ("/", "/log-in/back")),
    ]
    assert about.text == first.text == back.text
    assert "curl http://localhost/chat.v1." in str(about.text)
    assert answer("/rooms/x", {}).status == 404


def test_pages_can_only_be_read() -> None:
    """Not written to."""
    assert [answer(path, FILES, "POST").status for path in ("/", "/assets/a-1x.js", "/about")] == [405] * 3


def test_the_server_knows_where_the_client_has_pages() -> None:
    """Reloading one must not lead to nowhere."""
    paths = re.findall(r'path: "/([^"/]*)', ROUTES.read_text())
    assert len(paths) > 0
    assert {path for path in paths if path} - PLACES == set()
