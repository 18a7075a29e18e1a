from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from grpc_chat.files.metadata import without_metadata

SECRET = b"48.2082 North"


def image(kind: str, **more: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((33, 21), 40).convert("RGB").save(out, kind, **more)
    return out.getvalue()


def exif() -> Image.Exif:
    said = Image.Exif()
    said[0x010E] = SECRET.decode()
    return said


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("RGBA").tobytes()


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    import zlib

    chunk = struct.pack(">I", len(content)) + name + content
    chunk += struct.pack(">I", zlib.crc32(name + content))
    # After the header, which is the first.
    return png[:33] + chunk + png[33:]


def of_every_kind() -> list[tuple[str, bytes]]:
    """Images that say a secret, each in another way."""
    jpeg, png = image("JPEG", quality=80), image("PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return [
        *(("image/jpeg", image("JPEG", exif=exif(), **more)) for more in ({}, {"progressive": True})),
        ("image/jpeg", image("JPEG", comment=SECRET)),
        *(
            ("image/jpeg", with_segment(jpeg, marker, SECRET))
            for marker in (0xE1, 0xE2, 0xE3, 0xED, 0xEF, 0xFE)
        ),
        ("image/jpeg", with_segment(jpeg, 0xE0, b"JFXX\0" + SECRET)),
        ("image/jpeg", jpeg + SECRET),
        ("image/jpeg", jpeg + image("JPEG", exif=exif())),
        ("image/png", image("PNG", exif=exif())),
        ("image/png", image("PNG", pnginfo=text)),
        *(("image/png", with_chunk(png, name, SECRET)) for name in (b"tEXt", b"zTXt", b"tIME", b"vpAg")),
        ("image/png", png + SECRET),
        *(("image/webp", image("WEBP", exif=exif(), lossless=lossless)) for lossless in (False, True)),
        ("image/webp", image("WEBP", xmp=SECRET)),
        ("image/webp", image("WEBP") + SECRET),
    ]


def test_images_say_nothing_but_their_pixels() -> None:
    """Whichever way they said it; and done twice it is the same as done once."""
    for content_type, data in of_every_kind():
        assert SECRET in data

        stripped = without_metadata(data, content_type, 1)

        assert SECRET not in stripped
        assert pixels(stripped) == pixels(data)
        assert without_metadata(stripped, content_type, 1) == stripped


def test_image_without_metadata_stays_as_it_is() -> None:
    """Byte for byte: with its colour profile, transparency, and animation."""
    profile = b"\0" * 128
    frames = [Image.new("RGB", (33, 21), colour) for colour in ("red", "blue")]
    moving: dict[str, Any] = {"save_all": True, "append_images": frames, "duration": 100}
    for kind, more in (
        ("JPEG", {"icc_profile": profile}),
        ("JPEG", {"progressive": True, "subsampling": 0}),
        ("PNG", {"icc_profile": profile, "dpi": (72, 72)}),
        ("PNG", moving),
        ("WEBP", {"icc_profile": profile}),
        ("WEBP", moving),
    ):
        data = image(kind, **more)
        assert without_metadata(data, f"image/{kind.lower()}", 1) == data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_side_is_said_in_a_line(kind: str) -> None:
    """The least that says it, where it is not the usual one."""
    said = exif()
    said[0x0112] = 8
    data = image(kind, exif=said)

    stripped = without_metadata(data, f"image/{kind.lower()}", 8)

    assert dict(Image.open(io.BytesIO(stripped)).getexif()) == {0x0112: 8}
    assert pixels(stripped) == pixels(data)
    for orientation in (0, 1, 9, 10**9):
        upright = without_metadata(data, f"image/{kind.lower()}", orientation)
        assert not dict(Image.open(io.BytesIO(upright)).getexif())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_not_as_its_format_says_is_refused(kind: str) -> None:
    """Wherever it ends, and never with another error."""
    data, content_type = image(kind, exif=exif()), f"image/{kind.lower()}"
    for length in range(len(data) - 1):
        with pytest.raises((ValueError, IndexError, struct.error)):
            without_metadata(data[:length], content_type, 1)
    for other in (b"", b"\xff\xd8" + b"\xff" * 100, data[:30] + b"\xff" * 60):
        with pytest.raises((ValueError, IndexError, struct.error)):
            without_metadata(other, content_type, 1)
