"""Images."""

import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from harness.predict.crops import read_image, warp

from .damage import changes
from .fuzzing import TIMEOUT, Target, fuzz

pytestmark = TIMEOUT
PIXELS = np.add.outer(np.arange(12) * 9, np.arange(16) * 7)[..., None].astype(np.uint8) + np.array(
    [0, 60, 120], np.uint8
)
MATRIX = np.array([[0.5, 0, 1], [0, 0.5, 1]])
SIDES = (0, 1, 7, 256, 5000, 32768, 65535, 2**31 - 1, 2**32 - 1)


def encoded(suffix: str, pixels: npt.NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def read(folder: Path) -> None:
    for path in folder.glob("image.*"):
        image = read_image(path)
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert min(image.shape) > 0
        assert warp(image, MATRIX, (6, 8)).shape == (8, 6, 3)


def damage(choose: Random, path: Path, whole: bytes) -> None:
    """Write other pixels, or another header with a correct checksum."""
    if choose.random() < 0.3:
        shape = choose.choice(((1, 1, 3), (5, 7), (5, 7, 4), (1, 300, 3), (12, 16, 3)))
        dtype = np.uint16 if path.suffix == ".png" and choose.random() < 0.5 else np.uint8
        path.write_bytes(encoded(path.suffix, np.full(shape, 200, dtype)))
    elif path.suffix == ".png":
        path.write_bytes(damaged_png(choose, whole))
    else:
        path.write_bytes(damaged_jpeg(choose, whole))


def damaged_png(choose: Random, data: bytes) -> bytes:
    """Change fields of the header, and insert, remove and move chunks."""
    chunks, position = [], 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    for _ in changes(choose):
        index = choose.randrange(len(chunks))
        match choose.randrange(4):
            case 0:
                sides = struct.pack(">II", choose.choice(SIDES), choose.choice(SIDES))
                kind = bytes(
                    (choose.choice((1, 2, 8, 16)), choose.choice((0, 2, 3, 4, 6)), 0, 0, choose.choice((0, 1)))
                )
                chunks[0] = (b"IHDR", choose.choice((sides + chunks[0][1][8:], chunks[0][1][:8] + kind, sides + kind)))
            case 1:
                name = choose.choice(
                    (b"tEXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"iCCP", b"tRNS", b"gAMA", b"IDAT")
                )
                content = bytes(choose.randrange(256) for _ in range(choose.choice((0, 4, 8, 26, 256))))
                chunks.insert(index + 1, (name, content))
            case 2 if len(chunks) > 1:
                del chunks[index]
            case _:
                chunks.append(chunks[index])
    whole = data[:8]
    for name, content in chunks:
        whole += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return whole


def damaged_jpeg(choose: Random, data: bytes) -> bytes:
    """Change the size in the frame's header, or insert an EXIF segment."""
    changed = bytearray(data)
    frame = data.index(b"\xff\xc0")
    if choose.random() < 0.5:
        changed[frame + 5 : frame + 9] = struct.pack(">HH", choose.choice(SIDES) % 65536, choose.choice(SIDES) % 65536)
    else:
        entries = [
            struct.pack(
                "<HHII",
                choose.choice((0x0112, 0x010F, 0x8769)),
                choose.randrange(14),
                choose.choice((1, 2**31)),
                choose.randrange(10),
            )
            for _ in range(choose.randrange(3))
        ]
        tiff = (
            b"II*\0"
            + struct.pack("<I", choose.choice((8, 0, 2**31)))
            + struct.pack("<H", choose.choice((len(entries), 65535)))
            + b"".join(entries)
        )
        segment = b"Exif\0\0" + tiff
        changed[2:2] = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    return bytes(changed)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_images(suffix: str, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / f"image{suffix}").write_bytes(encoded(suffix, PIXELS))

    fuzz(Target(write, (read,), (f"image{suffix}",), damage), tmp_path)
