"""Looks into one image, in a process of its own: a decoder that a stranger's file can lead astray has nothing
there to take, and little to take it with.

The image is standard input. What the process says are lines of JSON; what it makes it writes to descriptors
that it is given. It has bounds on its memory, its time and what it writes, and once it begins to read it can
no longer open anything, neither a file nor a connection.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

from PIL import (
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from grpc_chat.files.metadata import STRIPPED, without_metadata

PREVIEW_SIDE = 512
"""Pixels of the longer side of a preview."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
# The decoders that are needed. Pillow makes an MPO of a JPEG that says that it holds several, and reads Exif
# as TIFF.
_PLUGINS = (
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
_ORIENTATION = 0x0112
# Which way up, as what has to be done to show it: see Pillow's own exif_transpose, which looks at all of it.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def kind_of(begin: bytes) -> str:
    """What Pillow calls the kind of image that a file begins like; empty for none that is looked into."""
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for signature, kind in _SIGNATURES if begin.startswith(signature)), "")


def main(arguments: list[str]) -> None:
    """Look into the image at standard input.

    Args:
        arguments: Bytes of memory, seconds, bytes that may be written, most pixels; the descriptors for the
            image without metadata, or -1 where that stays, and for the preview.
    """
    memory, seconds, written, pixels, stripped, preview = map(int, arguments)
    _warm_up()
    _bind(memory, seconds, written)
    image: BinaryIO = sys.stdin.buffer
    kind = kind_of(image.read(16))
    if not kind:
        return
    content_type = f"image/{kind.lower()}"
    if stripped >= 0 and content_type in STRIPPED:
        _strip(image, kind, content_type, stripped)
    _say(_preview(image, kind, pixels, preview) | {"content_type": content_type})


def _warm_up() -> None:
    """Have all be loaded that is needed, by doing it once: later nothing can be opened, no module either."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    with open(os.devnull, "wb") as nowhere:
        for kind in ("PNG", "JPEG", "WEBP", "GIF"):
            made = io.BytesIO()
            Image.new("RGB", (2, 2)).save(made, kind, exif=exif)
            _preview(made, kind, 4, nowhere.fileno())


def _bind(memory: int, seconds: int, written: int) -> None:
    os.nice(10)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CORE, 0),
        # Those that are open stay so.
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _strip(image: BinaryIO, kind: str, content_type: str, descriptor: int) -> None:
    image.seek(0)
    data = image.read()
    try:
        stripped = without_metadata(data, content_type, _orientation(_open(image, kind)))
    except (ValueError, IndexError, struct.error):
        # Not as its format says; what it is then, the decoder is asked.
        return
    if stripped != data:
        _write(descriptor, stripped)
        _say({"stripped": True})


def _preview(image: BinaryIO, kind: str, pixels: int, descriptor: int) -> dict[str, Any]:
    """Make a preview; what is known of the image, which is nothing for one that can't be decoded."""
    opened = _open(image, kind)
    width, height = opened.size
    if width * height > pixels:
        raise ValueError("more pixels than may be looked at")
    turn = _TURNS.get(_orientation(opened))
    # JPEG decoders can make it smaller on the way, which saves most of the time and memory.
    opened.draft("RGB", (2 * PREVIEW_SIDE, 2 * PREVIEW_SIDE))
    opened.load()
    has_alpha = opened.has_transparency_data
    small = opened.convert("RGBA" if has_alpha else "RGB")
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    if turn is not None:
        small = small.transpose(turn)
        if turn not in (_TURNS[2], _TURNS[3], _TURNS[4]):
            width, height = height, width
    # A new one: what the old one knew besides its pixels is not copied along.
    clean = Image.new(small.mode, small.size)
    clean.paste(small)
    made = io.BytesIO()
    clean.save(made, "WEBP", quality=80, method=4)
    _write(descriptor, made.getvalue())
    return {"width": width, "height": height}


def _open(image: BinaryIO, kind: str) -> Image.Image:
    """An image of which only the beginning has been read."""
    image.seek(0)
    return Image.open(image, formats=[kind])


def _orientation(opened: Image.Image) -> int:
    try:
        found = opened.getexif().get(_ORIENTATION, 1)
    except Exception:
        # Metadata may be anything.
        return 1
    return found if isinstance(found, int) else 1


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _say(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def run() -> None:
    """The process: :func:`main` with the command line. It ends with 1 where an image can't be looked into."""
    # They are compared with the bound before anything is decoded; to be without metadata needs no decoding.
    Image.MAX_IMAGE_PIXELS = None
    try:
        main(sys.argv[2:])
    except BaseException:
        # Whatever it was, there is no image to be seen, and nobody reads a traceback here.
        os._exit(1)
    os._exit(0)
