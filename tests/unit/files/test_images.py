from __future__ import annotations

import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from grpc_chat.files.images import Images, Seen

WHERE = "48 North, 16 East"
KINDS = ("PNG", "JPEG", "WEBP", "GIF")


def image(kind: str = "JPEG", size: tuple[int, int] = (60, 40), **more: Any) -> bytes:
    """An image whose upper left corner is red, with metadata."""
    made = Image.new("RGB", size, "white")
    made.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    made.save(out, kind, **more)
    return out.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    said = Image.Exif()
    said[0x0112] = orientation
    said[0x010E] = WHERE
    return said


class Looked:
    """What came of looking into an image."""

    def __init__(
        self, folder: Path, data: bytes, images: Images | None = None, *, strip: bool = True
    ) -> None:
        path, stripped, preview = (folder / name for name in ("image", "stripped", "preview"))
        for left in (stripped, preview):
            left.unlink(missing_ok=True)
        path.write_bytes(data)
        self.seen = (images or Images()).look(path, stripped=stripped if strip else None, preview=preview)
        self.stripped = stripped.read_bytes() if stripped.exists() else b""
        self.preview = preview.read_bytes()
        assert path.read_bytes() == data


def is_red(data: bytes, at: str) -> bool:
    opened = Image.open(io.BytesIO(data)).convert("RGB")
    x = 2 if "left" in at else opened.width - 3
    y = 2 if "upper" in at else opened.height - 3
    red, green, blue = opened.getpixel((x, y))  # type: ignore[misc]
    return bool(red > 200 and green < 100 and blue < 100)


@pytest.mark.parametrize("kind", KINDS)
def test_image_has_a_preview_without_metadata(tmp_path: Path, kind: str) -> None:
    """Small, of the same shape, and of the first frame."""
    frames = [Image.new("RGB", (1200, 600), "white")]
    more: dict[str, Any] = {"save_all": True, "append_images": frames} if kind != "JPEG" else {}
    if kind != "GIF":
        more["exif"] = exif()
    looked = Looked(tmp_path, image(kind, (1200, 600), **more))

    assert looked.seen == Seen(f"image/{kind.lower()}", 1200, 600, stripped=kind != "GIF")
    preview = Image.open(io.BytesIO(looked.preview))
    assert (preview.format, preview.size, preview.info.keys() & {"exif", "xmp", "icc_profile"}) == (
        "WEBP",
        (512, 256),
        set(),
    )
    assert is_red(looked.preview, "upper left")
    assert not is_red(looked.preview, "lower right")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_image_keeps_its_side_and_nothing_else(tmp_path: Path, kind: str) -> None:
    """Which way up it is, is the one thing of its metadata that it is shown by."""
    corners = {1: "upper left", 3: "lower right", 6: "upper right", 8: "lower left"}
    for orientation, corner in corners.items():
        looked = Looked(tmp_path, image(kind, exif=exif(orientation)))

        turned = orientation in (6, 8)
        assert (looked.seen.width, looked.seen.height) == ((40, 60) if turned else (60, 40))
        assert is_red(looked.preview, corner)
        stripped = Image.open(io.BytesIO(looked.stripped))
        assert dict(stripped.getexif()) == ({0x0112: orientation} if orientation > 1 else {})
        assert WHERE.encode() not in looked.stripped
    kept = Looked(tmp_path, image(kind, exif=exif(6)), strip=False)
    assert (kept.seen.stripped, kept.stripped, kept.seen.width) == (False, b"", 40)


def test_image_with_an_alpha_channel_keeps_it(tmp_path: Path) -> None:
    """In its preview."""
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    out = io.BytesIO()
    clear.save(out, "PNG")

    looked = Looked(tmp_path, out.getvalue())

    assert Image.open(io.BytesIO(looked.preview)).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]
    assert not looked.seen.stripped, "there was nothing to take"


@pytest.mark.parametrize("kind", KINDS)
def test_broken_image_is_a_file_without_a_preview(tmp_path: Path, kind: str) -> None:
    """Cut off, or with something else behind its first bytes."""
    whole = image(kind)
    for broken in (whole[: len(whole) // 2], whole[:12], whole[:8] + b"\0" * 100, b"nothing of the kind"):
        assert not Looked(tmp_path, broken).seen.has_preview
    assert not Looked(tmp_path, b"").seen.has_preview


def test_image_that_goes_beyond_a_bound_has_no_preview(tmp_path: Path) -> None:
    """More pixels, time or memory; metadata go all the same where there is time for that."""
    data = image(exif=exif())

    of_many_pixels = Looked(tmp_path, data, Images(pixels=60 * 40 - 1))
    assert of_many_pixels.seen == Seen(stripped=True)
    assert WHERE.encode() not in of_many_pixels.stripped
    assert Looked(tmp_path, data, Images(pixels=60 * 40)).seen.has_preview
    assert Looked(tmp_path, data, Images(seconds=timedelta(milliseconds=1))).seen == Seen()
    large = image("PNG", (2000, 2000))
    assert not Looked(tmp_path, large, Images(memory=8 * 1024**2)).seen.has_preview
    assert Looked(tmp_path, large).seen.has_preview


def test_only_what_looks_like_an_image_is_looked_into(tmp_path: Path) -> None:
    """And only up to a size: most files cost no process."""
    path = tmp_path / "file"
    for kind in KINDS:
        path.write_bytes(image(kind))
        assert Images().may_be_one(path)
        assert not Images(most_bytes=10).may_be_one(path)
    for other in (b"", b"%PDF-1.7", b"RIFF1234WAVE", b"<svg/>", b"BM1234"):
        path.write_bytes(other)
        assert not Images().may_be_one(path)


def test_worker_can_open_nothing_once_it_reads() -> None:
    """Neither a file nor a connection, nor begin another program."""
    tried = (
        "import socket, subprocess, sys\n"
        "from grpc_chat.files.image_worker import _bind, _warm_up\n"
        "_warm_up(); _bind(2**30, 5, 2**20)\n"
        "program = lambda: subprocess.Popen([sys.executable])\n"
        "for what in (lambda: open('/dev/null'), socket.socket, program):\n"
        "    try: what()\n"
        "    except OSError as error: print(error.errno == 24)\n"
        "    else: print('opened')\n"
    )
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 3
