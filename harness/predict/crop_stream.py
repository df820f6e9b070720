"""Crops of all people, each image decoded once for everybody in it and for every geometry that is asked for."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from harness.arrays import Image, Indices
from harness.predict.crops import crop_regions, read_image, warp
from harness.predict.people import People
from harness.protocol import Crop

_AHEAD = 2
"""Images that a thread may be ahead of the reader of the stream: what bounds the memory."""
_CROWD = 256
"""People that are cut out of an image at a time; one with more of them is decoded again, which then costs little."""
_THREADS = 16


def crop_stream(
    people: People, crops: Sequence[Crop], threads: int | None = None
) -> Generator[tuple[Indices, list[Image]], None, None]:
    """Cut everybody out, image by image, in the order of the images whatever the threads do.

    OpenCV decodes and warps without the interpreter's lock, so that threads do; memory does not grow with the people.

    Args:
        people: N people.
        crops: The geometries wanted.
        threads: None for one on each processor that this process may use.

    Yields:
        The numbers [n] of people of one image, ascending, and for each geometry their crops [n, H, W, 3] BGR.

    Raises:
        RunError: An image cannot be read.
    """
    sizes = [crop.input_size for crop in crops]
    matrices = [crop_regions(people, crop).matrices for crop in crops]

    def cut(path: Path, group: Indices) -> tuple[Indices, list[Image]]:
        image = read_image(path)
        cuts = []
        for (width, height), maps in zip(sizes, matrices, strict=True):
            block = np.empty((len(group), height, width, 3), np.uint8)
            for crop, matrix in zip(block, maps[group], strict=True):
                warp(image, matrix, (width, height), out=crop)
            cuts.append(block)
        return group, cuts

    threads = threads or min(_THREADS, _processors())
    work = _by_image(people)
    with ThreadPoolExecutor(threads, "crops") as pool:
        coming: deque[Future[tuple[Indices, list[Image]]]] = deque()
        try:
            coming.extend(pool.submit(cut, *item) for item in islice(work, threads * _AHEAD))
            while coming:
                done = coming.popleft().result()
                coming.extend(pool.submit(cut, *item) for item in islice(work, 1))
                yield done
        finally:  # whoever reads the stream may stop before its end
            pool.shutdown(wait=False, cancel_futures=True)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_image(people: People) -> Iterator[tuple[Path, Indices]]:
    """Yield each image's path and the numbers of its people."""
    number_of = {image_id: number for number, image_id in enumerate(people.images)}
    image_numbers = np.array([number_of[image_id] for image_id in people.image_ids.tolist()])
    by_image = np.argsort(image_numbers, kind="stable")
    groups = np.split(by_image, np.flatnonzero(np.diff(image_numbers[by_image])) + 1)
    for path, group in zip(people.images.values(), groups, strict=True):
        for start in range(0, len(group), _CROWD):
            yield path, group[start : start + _CROWD]
