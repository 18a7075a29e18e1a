from __future__ import annotations

import pytest

from grpc_chat.api.downloads import _names, _range, disposition
from tests.looped import each


@each(
    ("given", "asked"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=3-", (3, 7)),
        ("bytes=-2", (8, 2)),
        ("bytes=-99", (0, 10)),
        ("bytes=0-99", (0, 10)),
        ("bytes=9-9", (9, 1)),
        ("bytes=10-", (0, 0)),
        ("bytes=-0", (0, 0)),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=" + "9" * 400 + "-", None),
        ("", None),
    ],
)
def test_ranges_are_those_of_the_standard(given: str, asked: tuple[int, int] | None) -> None:
    """Of a file of 10 bytes. What can't be made out is passed over, as RFC 9110 says."""
    assert _range(given, 10) == asked


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
        ("€ rates.txt", "attachment; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"),
        ('"; x="y', "attachment; filename=\"_; x=_y\"; filename*=UTF-8''%22%3B%20x%3D%22y"),
        ("a%41\\b'c", "attachment; filename=\"a_41_b'c\"; filename*=UTF-8''a%2541%5Cb%27c"),
        (
            "a\r\nSet-Cookie: b",
            "attachment; filename=\"a__Set-Cookie: b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b",
        ),
        ("\ud800", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
    ],
)
def test_name_of_a_file_ends_no_header(name: str, header: str) -> None:
    """Whatever it holds, quotes and line ends included."""
    assert disposition(name, shown=False) == header
    assert disposition(name, shown=True) == header.replace("attachment", "inline")


def test_content_is_known_by_its_tag() -> None:
    """One of several, weak or strong, or any."""
    for given in ('"a"', 'W/"a"', '"b", "a"', "*"):
        assert _names(given, '"a"')
    for given in ("", '"b"', "a"):
        assert not _names(given, '"a"')
