"""The stream of crops compared with crops cut one by one."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_passes import draw_people

from harness.arrays import Image
from harness.datasets.people import People
from harness.errors import RunError
from harness.predict import crop_stream as module
from harness.predict.crop_stream import crop_stream
from harness.predict.crops import crop_regions, read_image, warp
from harness.protocol import Crop

PLAIN = Crop(input_size=(48, 64), padding=1.25, affine="plain")
UDP = Crop(input_size=(72, 96), padding=1.25, affine="udp")


def one_by_one(people: People, crop: Crop) -> list[Image]:
    regions = crop_regions(people, crop)
    images = {image_id: read_image(path) for image_id, path in people.images.items()}
    return [
        warp(images[image_id], matrix, crop.input_size)
        for image_id, matrix in zip(people.image_ids.tolist(), regions.matrices, strict=True)
    ]


def images_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []
    lock = threading.Lock()

    def reading(path: Path) -> Image:
        with lock:
            read.append(path)
        return read_image(path)

    monkeypatch.setattr(module, "read_image", reading)
    return read


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=12), size=st.integers(1, 9), threads=st.integers(1, 6))
def test_every_crop_of_every_geometry_in_the_order_of_the_images(
    counts: Sequence[int], size: int, threads: int, tmp_path: Path
) -> None:
    people = draw_people(tmp_path, counts)
    expected = [one_by_one(people, PLAIN), one_by_one(people, UDP)]
    order, sizes = [], []
    for index, cuts in crop_stream(people, [PLAIN, UDP], size, threads):
        order += index.tolist()
        sizes.append(len(index))
        for crops, all_crops in zip(cuts, expected, strict=True):
            np.testing.assert_array_equal(crops, [all_crops[person] for person in index])
    assert set(sizes[:-1]) <= {size}
    first_seen = {image_id: number for number, image_id in enumerate(people.images)}
    assert order == sorted(range(len(people)), key=lambda person: (first_seen[int(people.image_ids[person])], person))


def test_images_are_read_once_and_not_far_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = draw_people(tmp_path, [2] * 40)
    read = images_read(monkeypatch)
    for done, _ in enumerate(crop_stream(people, [PLAIN], 2, threads=3), 1):
        assert len(read) <= done + 3 * module._AHEAD
    assert sorted(read) == sorted(people.images.values())


def test_a_crowd_is_cut_out_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = draw_people(tmp_path, [module._CROWD + 10, 1])
    expected = one_by_one(people, PLAIN)
    read = images_read(monkeypatch)
    for index, (crops,) in crop_stream(people, [PLAIN], 16):
        np.testing.assert_array_equal(crops, [expected[person] for person in index])
    assert len(read) == 3


def test_an_image_that_cannot_be_read_ends_the_stream_and_its_threads(tmp_path: Path) -> None:
    people = draw_people(tmp_path, [1] * 30)
    list(people.images.values())[7].write_bytes(b"no image")
    before = threading.active_count()
    with pytest.raises(RunError, match=r"not an image that can be decoded: .*png"):
        list(crop_stream(people, [PLAIN], 4, threads=2))
    stream = crop_stream(people, [PLAIN], 4, threads=2)
    next(stream)
    stream.close()  # as a failing reader does
    assert threading.active_count() == before
