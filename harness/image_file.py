"""Checks whether the bytes of an image file are a complete image, without decoding it.

Cameras and phones put previews into an image's header, and a video or a second image after it. So the end of an image
is found from its segments (JPEG, ITU-T T.81, annex B) or chunks (PNG), not from the last bytes of the file.
"""

import re
import struct
from typing import Literal

Fault = Literal["truncated", "an animation", "in HEIF format"]

ADVICE: dict[Fault, str] = {
    "truncated": "copy, extract or download the whole file again",
    "an animation": "save one of its pictures as PNG or JPEG",
    "in HEIF format": "convert it to JPEG or PNG",
}

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"
_HEIF = re.compile(rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)

_MARKER = re.compile(rb"\xff[^\x00\xff]")
"""A marker outside of entropy-coded data. Any number of fill bytes (FF) may precede it."""
_AFTER_SCAN = re.compile(rb"\xff[\xc4\xd8-\xdd\xe0-\xef\xfe]")
"""A marker that can follow entropy-coded data, in which FF 00 is a data byte and FF D0 to FF D7 are restart markers."""
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD8)])
_IMAGE_START, _IMAGE_END, _SCAN = 0xD8, 0xD9, 0xDA

_DEFLATED = 1032
"""Maximum number of bytes into which one byte of a PNG can decompress (RFC 1951)."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Number of channels by the colour type of a PNG."""


def image_fault(data: bytes) -> Fault | None:
    """Return the problem of an image that OpenCV would read, or reject without a reason; None if there is none.

    OpenCV fills the missing part of a truncated JPEG with grey and reports it only on standard error. For a PNG it
    allocates any size that a header claims, and 4.11 crashes on some files with animation chunks. It reads no HEIF.
    """
    if data.startswith(_JPEG):
        return None if _is_whole_jpeg(data) else "truncated"
    if data.startswith(_PNG):
        return _png_fault(data)
    return "in HEIF format" if _HEIF.match(data) else None


def _is_whole_jpeg(data: bytes) -> bool:
    """Follow the segments from the start of the image to its end.

    Too short lengths and bytes between segments are skipped, as in libjpeg.
    """
    position, has_pixels, next_marker = len(_JPEG), False, _MARKER
    while found := next_marker.search(data, position):
        position, marker = found.end(), data[found.end() - 1]
        if marker == _IMAGE_END:
            return has_pixels
        if marker == _IMAGE_START:
            return False  # the start of another image, after a truncated one
        next_marker = _MARKER
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        position += max(2, length)
        if marker == _SCAN:
            has_pixels, next_marker = True, _AFTER_SCAN
    return False


def _png_fault(data: bytes) -> Fault | None:
    position, has_pixels = 8, False
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > len(data):
            return "truncated"
        if name == b"acTL":
            return "an animation"
        if name == b"IHDR" and length >= 10:
            width, height, depth, colours = struct.unpack_from(">IIBB", data, position + 8)
            if width * height * depth * _CHANNELS.get(colours, 1) > 8 * _DEFLATED * len(data):
                return "truncated"
        has_pixels = has_pixels or name == b"IDAT"
        if name == b"IEND":
            return None if has_pixels else "truncated"  # OpenCV reads pixels even after the end chunk
        position += 12 + length
    return "truncated"
