"""Images are identified by their content, and read again only if their size or time has changed."""

import os
from pathlib import Path

import pytest

from harness.assets import image_digests
from harness.assets.image_digests import images_digest
from harness.files import sha256_file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path: Path) -> dict[int, Path]:
    found = {number: tmp_path / "images" / f"{number}.jpg" for number in (3, 1, 2)}
    (tmp_path / "images").mkdir()
    for number, path in found.items():
        path.write_bytes(bytes([number]) * 10)
    return found


def test_content_and_ids_count(images: dict[int, Path]) -> None:
    before = images_digest(images)
    assert images_digest(dict(reversed(images.items()))) == before
    assert images_digest({1: images[2], 2: images[1], 3: images[3]}) != before
    images[2].write_bytes(b"another ten")
    assert images_digest(images) != before


def test_files_that_did_not_move_are_not_read(images: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = images_digest(images)
    read: list[Path] = []

    def watched(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr(image_digests, "sha256_file", watched)
    assert (images_digest(images), read) == (before, [])
    os.utime(images[1], ns=(1, 1))
    assert (images_digest(images), [path.name for path in read]) == (before, ["1.jpg"])


def test_a_damaged_memory_is_made_again(images: dict[int, Path], tmp_path: Path) -> None:
    before = images_digest(images)
    (memory,) = (tmp_path / "cache/images").iterdir()
    for damage in ("", "[]", '{"a": 1}', '{"a": [1, 2]}', "\x00"):
        memory.write_text(damage)
        assert images_digest(images) == before
    with pytest.raises(OSError, match="absent"):
        images_digest({9: tmp_path / "absent.jpg"})
