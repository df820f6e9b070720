"""Image files of cameras and phones are complete, and truncated anywhere they are not; OpenCV is the reference."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.datasets.inspect import images as inspection
from harness.errors import RunError
from harness.image_file import image_fault
from harness.predict.crops import read_image

PIXELS = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (64, 80, 3), np.uint8), (5, 5), 0)
END = b"\xff\xd9"
VIDEO = struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + b"\xff\xd9\xff\xda\0\x08mdat" * 20
"""Bytes like those of a video, in which the last JPEG marker starts a scan that does not end."""


def jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def two_pictures() -> bytes:
    """Return an MPO: a JPEG followed by a second one, which a segment of the first one lists."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "MPO", save_all=True, append_images=[Image.fromarray(PIXELS[::-1].copy())])
    return file.getvalue()


def with_preview() -> bytes:
    """Return a JPEG with a complete JPEG inside of an Exif segment, after a comment full of markers."""
    whole = jpeg()
    preview = segment(0xE1, b"Exif\0\0" + cv2.imencode(".jpg", PIXELS[::4, ::4])[1].tobytes())
    return whole[:2] + segment(0xFE, b"\xff\xda\xff\xd9" * 9) + preview + whole[2:]


def with_fill_bytes() -> bytes:
    """Return a JPEG with fill bytes before its first table and its end."""
    whole = jpeg()
    return whole[:2] + b"\xff" * 7 + whole[2:-2] + b"\xff" * 5 + END


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with additional chunks after its header."""
    whole = cv2.imencode(".png", PIXELS)[1].tobytes()
    more = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return whole[:33] + more + whole[33:]


@cache
def kinds() -> dict[str, tuple[bytes, int]]:
    """Return complete files, with the length of the image itself."""
    alone = {
        "baseline": jpeg(),
        "OpenCV's": cv2.imencode(".jpg", PIXELS)[1].tobytes(),
        "progressive": jpeg(progressive=True),
        "restarts": jpeg(restart_marker_blocks=1),
        "progressive with restarts": jpeg(progressive=True, restart_marker_rows=1),
        "preview": with_preview(),
        "fill bytes": with_fill_bytes(),
        "png": png(),
        "png with a text that looks like its end": png((b"tEXt", b"a\0\0\0\0\0IEND\xaeB`\x82")),
    }
    found = {name: (data, len(data)) for name, data in alone.items()}
    found["two pictures"] = (two_pictures(), two_pictures().index(END + b"\xff\xd8") + 2)
    return found


KINDS = st.sampled_from(sorted(kinds()))
CUT = ["preview", "progressive", "two pictures", "restarts", "png"]


def test_the_kinds_are_what_they_are_called() -> None:
    found = {name: data for name, (data, _) in kinds().items()}
    assert found["progressive"].count(b"\xff\xda") > 3
    assert found["restarts"].count(b"\xff\xd0") > 2
    assert b"MPF\0" in found["two pictures"]
    assert found["preview"].count(END) == 11


@pytest.mark.parametrize("name", sorted(kinds()))
def test_whole_with_anything_behind_it(name: str, tmp_path: Path) -> None:
    data, _ = kinds()[name]
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    for number, tail in enumerate((b"", VIDEO, b"\0" * 9, b"\xff", b"\xff\xda", jpeg()[:200], png()[:50])):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(data + tail)
        np.testing.assert_array_equal(read_image(path), expected)
        for decode in (False, True):
            assert inspection._inspect(path, decode=decode) is None


@given(name=KINDS, tail=st.binary(max_size=50) | st.just(VIDEO))
def test_anything_behind_the_end_is_accepted(name: str, tail: bytes) -> None:
    data, length = kinds()[name]
    assert image_fault(data[:length] + tail) is None


@given(name=KINDS, share=st.floats(0, 1, exclude_max=True))
def test_a_cut_before_the_end_is_refused(name: str, share: float) -> None:
    data, length = kinds()[name]
    assert image_fault(data[: max(4, int(share * length))]) == "truncated"


@pytest.mark.parametrize("name", CUT)
def test_every_cut_is_refused(name: str) -> None:
    data, length = kinds()[name]
    assert {image_fault(data[:size]) for size in range(4, length)} == {"truncated"}


def test_cut_where_an_end_marker_is_last_or_follows(tmp_path: Path) -> None:
    whole, (preview, _), (progressive, _) = jpeg(), kinds()["preview"], kinds()["progressive"]
    scans = [i for i in range(len(progressive)) if progressive[i : i + 2] == b"\xff\xda"]
    cut = {
        "in the header, behind the preview": preview[: preview.rindex(END, 0, -2) + 2],
        "between two scans": progressive[: scans[2]],
        "a cut picture with a whole one behind it": whole[: len(whole) // 2] + whole,
        "only a header": whole[: whole.index(b"\xff\xda")] + END,
    }
    for name, data in cut.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(data)
        with pytest.raises(RunError, match=rf"image is truncated: .*{name}\.jpg .*\n  copy, extract or download"):
            read_image(path)
        assert inspection._inspect(path, decode=False) == "truncated", name


@pytest.mark.parametrize(
    ("data", "fault", "advice"),
    [
        (png((b"acTL", struct.pack(">II", 1, 0))), "an animation", "save one of its pictures"),
        (b"\0\0\0\x18ftypheic" + bytes(12), "in HEIF format", "convert it to JPEG or PNG"),
        (b"\0\0\0\x1cftypmif1" + bytes(12), "in HEIF format", "convert it to JPEG or PNG"),
    ],
)
def test_what_no_run_reads(data: bytes, fault: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_bytes(data)
    with pytest.raises(RunError, match=rf"image is {fault}: .*\n  {advice}"):
        read_image(tmp_path / "image.jpg")
    assert inspection._inspect(tmp_path / "image.jpg", decode=False) == fault


@given(data=st.binary(max_size=300), png_like=st.booleans())
def test_any_bytes_are_judged(data: bytes, png_like: bool) -> None:
    start = b"\x89PNG\r\n\x1a\n" if png_like else b"\xff\xd8"
    assert image_fault(start + data) in (None, "truncated", "an animation")
    image_fault(data)


def test_long_runs_of_fill_bytes_take_no_time() -> None:
    """A quadratic search would take hours."""
    assert image_fault(b"\xff\xd8" + b"\xff" * 10**7) == "truncated"
    assert image_fault(jpeg()[:-2] + b"\xff" * 10**7 + END) is None
