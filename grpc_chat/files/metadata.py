"""Takes out of images what they say besides their pixels: where, when and with what they were taken.

What is kept is named, and all else goes, so that nothing a camera maker invents next is kept by mistake. Not
a pixel is changed. What follows the end of the image goes, too: phones put films there, and second images
with positions of their own.

Each function raises ``ValueError``, ``IndexError`` or ``struct.error`` for what is not as its format says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"

# Besides the critical ones, whose names begin with a capital: transparency, colours, size, animation.
_PNG_KEPT = {
    *(b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"hIST", b"sPLT", b"pHYs"),
    *(b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT"),
}

_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04

_ENTROPY_GOES_ON = {0x00, *range(0xD0, 0xD8)}


def without_metadata(data: bytes, content_type: str, orientation: int) -> bytes:
    """An image of the same pixels that says nothing else, but which way up it is.

    Args:
        content_type: Of which kind it is.
        orientation: What its metadata says of that, from 1, which is upright, to 8.
    """
    return _STRIP[content_type](data, _exif(orientation) if 2 <= orientation <= 8 else b"")


def _exif(orientation: int) -> bytes:
    """The least Exif there is, in the form of TIFF: one number that says which way up the image is."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _jpeg(data: bytes, exif: bytes) -> bytes:
    """See ITU T.81, annex B."""
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("not the beginning of a JPEG image")
    kept = [data[:2]]
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            kept.append(data[at : at + 2])
            break
        length = int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise ValueError("a segment that goes beyond the end")
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        if _is_kept(marker, data[at + 4 : at + 16]):
            kept.append(data[at:end])
        at = end
    if exif:
        said = b"Exif\0\0" + exif
        # After the segment of JFIF, which must be the first.
        place = 2 if kept[1][1] == 0xE0 else 1
        kept.insert(place, b"\xff\xe1" + (len(said) + 2).to_bytes(2) + said)
    return b"".join(kept)


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker is behind the coded pixels that begin here."""
    while (at := data.index(b"\xff", at)) + 1 < len(data):
        if data[at + 1] in _ENTROPY_GOES_ON:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at
    raise ValueError("no end")


def _is_kept(marker: int, begin: bytes) -> bool:
    if marker == 0xE0:
        # Its thumbnail, of other versions of it, may show what was cut away.
        return begin.startswith(b"JFIF\0")
    if marker == 0xE2:
        return begin.startswith(b"ICC_PROFILE\0")
    # Of all applications' segments, Adobe's says how the colours are stored.
    return marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _png(data: bytes, exif: bytes) -> bytes:
    """See https://www.w3.org/TR/png-3/#5DataRep"""
    if not data.startswith(_PNG_BEGIN):
        raise ValueError("not the beginning of a PNG image")
    kept = [_PNG_BEGIN]
    at = len(_PNG_BEGIN)
    name = b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk that goes beyond the end")
        if name[:1].isupper() or name in _PNG_KEPT:
            if name == b"IDAT" and exif:
                kept.append(_chunk(b"eXIf", exif))
                exif = b""
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _webp(data: bytes, exif: bytes) -> bytes:
    """See RFC 9649, section 2."""
    begin, size, kind = struct.unpack_from("<4sI4s", data)
    if begin != b"RIFF" or kind != b"WEBP" or size + 8 > len(data):
        raise ValueError("not the beginning of a WebP image")
    kept: list[bytes] = []
    at, all_end = 12, 8 + size
    while at < all_end:
        name, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length
        if end > all_end:
            raise ValueError("a chunk that goes beyond the end")
        if name == b"VP8X":
            flags = data[at + 8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if exif else 0)
            kept.append(data[at : at + 8] + bytes([flags]) + data[at + 9 : end])
        elif name in _WEBP_KEPT:
            kept.append(data[at:end] + b"\0" * (length % 2))
        at = end + length % 2
    if exif:
        kept.append(struct.pack("<4sI", b"EXIF", len(exif)) + exif)
    content = b"".join(kept)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(content), b"WEBP") + content


_STRIP: dict[str, Callable[[bytes, bytes], bytes]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
}
"""By the kind of image. GIF has no place for metadata but comments."""

STRIPPED = frozenset(_STRIP)
"""The kinds of images from which metadata can be taken."""
