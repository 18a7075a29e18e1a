from __future__ import annotations

import pytest

from grpc_chat.sdk.file_names import safe_name, sent_name
from tests.looped import each


@each(
    ("given", "saved"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 日本.txt", "Übersicht 日本.txt"),
        ("../../.ssh/authorized_keys", "_._.._.ssh_authorized_keys"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\Windows\\a.txt", "C__Windows_a.txt"),
        (".bashrc", "_bashrc"),
        ("-rf", "_rf"),
        ("~root", "_root"),
        ("a\x1b[31mb\n.txt", "a_[31mb_.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("CON.txt", "_CON.txt"),
        ("lpt1", "_lpt1"),
        ("a.txt:evil.exe", "a.txt_evil.exe"),
        ("trailing. . ", "trailing. "),
        ("..", "file"),
        ("", "file"),
        ("   ", "file"),
        ("\ud800", "_"),
    ],
)
def test_name_of_a_stranger_is_safe_to_save_by(given: str, saved: str) -> None:
    """It stays in its folder, shows, is seen, and is no option, device or stream."""
    assert safe_name(given) == saved


def test_long_name_keeps_its_kind() -> None:
    """No file system takes more than 255 bytes; what is cut is the middle, between characters."""
    for name in (safe_name("ä" * 300 + ".tar"), sent_name("ä" * 300 + ".tar")):
        assert len(name.encode()) in (254, 255)
        assert name.endswith("ä.tar")
    assert len(safe_name("x." + "y" * 300)) == 255


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a.txt", "a.txt"),
        ("a\u200db", "a_b"),
        ("a/b\\c", "a_b_c"),
        (" ", "file"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_name_is_made_fit_to_be_sent(given: str, sent: str) -> None:
    """What the server would refuse is replaced."""
    assert sent_name(given) == sent
