"""Whether the bytes of an image file are a whole image, judged without decoding it.

Cameras and phones put previews into an image's header, and a video or a second image behind it. So the end of an image
follows from its own segments (JPEG, ITU-T T.81, annex B) or chunks (PNG), and never from the bytes at the file's end.
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
"""A marker outside of coded pixels. A marker may have any number of fill bytes (FF) before it."""
_AFTER_SCAN = re.compile(rb"\xff[\xc4\xd8-\xdd\xe0-\xef\xfe]")
"""A marker that can follow coded pixels, within which FF 00 is a byte of theirs and FF D0 to FF D7 are restarts."""
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD8)])
_IMAGE_START, _IMAGE_END, _SCAN = 0xD8, 0xD9, 0xDA

_DEFLATED = 1032
"""Bytes that a byte of a PNG becomes at most: the limit of its compression (RFC 1951)."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of a PNG."""


def image_fault(data: bytes) -> Fault | None:
    """Return what is wrong with an image that OpenCV would not refuse, or would refuse without a reason.

    Of a truncated JPEG, OpenCV fills the missing part with grey and says so only on standard error. For a PNG it takes
    memory for whatever a header says, and 4.11 crashes on some that claim to be animated. It reads no HEIF at all.
    """
    if data.startswith(_JPEG):
        return None if _is_whole_jpeg(data) else "truncated"
    if data.startswith(_PNG):
        return _png_fault(data)
    return "in HEIF format" if _HEIF.match(data) else None


def _is_whole_jpeg(data: bytes) -> bool:
    """Walk the segments from the start of the image to its end.

    A length that is too short for itself and bytes between segments are skipped, as libjpeg skips them.
    """
    position, has_pixels, next_marker = len(_JPEG), False, _MARKER
    while found := next_marker.search(data, position):
        position, marker = found.end(), data[found.end() - 1]
        if marker == _IMAGE_END:
            return has_pixels
        if marker == _IMAGE_START:
            return False  # of another image, behind one that was cut
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
            return None if has_pixels else "truncated"  # OpenCV looks for pixels even behind the end
        position += 12 + length
    return "truncated"
