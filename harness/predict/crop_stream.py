"""Crops of all people, each image decoded once for everybody in it and for every geometry that is asked for."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from harness.arrays import Image, Indices
from harness.datasets.people import People
from harness.predict.crops import CutOut, crop_regions, read_image, warp
from harness.predict.uploads import HostUploads, Uploads
from harness.protocol import Crop

_AHEAD = 2
"""Images that a thread may be ahead of the reader of the stream: what bounds the memory."""
_CROWD = 256
"""People that are cut out of an image at a time; one with more of them is decoded again, which then costs little."""
_THREADS = 16


def crop_stream(
    people: People,
    crops: Sequence[Crop],
    size: int,
    threads: int | None = None,
    uploads: Uploads | None = None,
    cut_out: CutOut = warp,
) -> Generator[tuple[Indices, list[Image]], None, None]:
    """Cut everybody out, image by image, in the order of the images whatever the threads do.

    OpenCV decodes and warps without the interpreter's lock, so that threads do; memory does not grow with the people.

    Args:
        people: N people.
        crops: The geometries wanted.
        size: How many people to yield at a time; the last time there may be fewer.
        threads: None for one on each processor that this process may use.
        uploads: Where crops go from here; None for a CPU. Those that it has begun to copy by the time the next crops
            are asked for stay as they are until they are copied.
        cut_out: Cuts a crop.

    Yields:
        The numbers [n] of people and, for each geometry, their crops [n, H, W, 3] BGR, which are theirs until the next
        ones are asked for: the memory is used again.

    Raises:
        RunError: An image cannot be read.
    """
    shapes = [crop.input_size for crop in crops]
    matrices = [crop_regions(people, crop).matrices for crop in crops]
    order, groups = _by_image(people)
    blocks: dict[int, list[Image]] = {}
    """Crops of `size` people by geometry, filled by whoever has some of these people in their image."""
    spare: deque[tuple[list[Image], Callable[[], object]]] = deque()
    """Blocks to be filled again, and what waits until they may be."""
    uploads = uploads or HostUploads()

    def cut(path: Path, first: int, end: int) -> int:
        image = read_image(path)
        for place in range(first, end):
            block, person = blocks[place // size], order[place]
            for shape, maps, filled in zip(shapes, matrices, block, strict=True):
                cut_out(image, maps[person], shape, filled[place % size])
        return end

    threads = threads or min(_THREADS, processors())
    work, coming = iter(groups), deque[Future[int]]()
    with ThreadPoolExecutor(threads, "crops") as pool:

        def empty_block() -> list[Image]:
            if not spare:
                return [uploads.empty((size, height, width, 3)) for width, height in shapes]
            block, wait = spare.popleft()
            wait()
            return block

        def begin(path: Path, first: int, end: int) -> None:
            for number in range(first // size, (end - 1) // size + 1):
                if number not in blocks:
                    blocks[number] = empty_block()
            coming.append(pool.submit(cut, path, first, end))

        try:
            for item in islice(work, threads * _AHEAD):
                begin(*item)
            given = 0
            while coming:
                done = coming.popleft().result()
                for item in islice(work, 1):
                    begin(*item)
                while given * size < done and (done >= (given + 1) * size or done == len(order)):
                    index = order[given * size : (given + 1) * size]
                    block = blocks.pop(given)
                    yield index, [filled[: len(index)] for filled in block]
                    spare.append((block, uploads.fence()))
                    given += 1
        finally:  # whoever reads the stream may stop before its end
            pool.shutdown(wait=False, cancel_futures=True)
            uploads.fence()()  # then the blocks' memory is given back


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_image(people: People) -> tuple[Indices, list[tuple[Path, int, int]]]:
    """Return the order [N] in which people are cut out, and for each image the part of it that is its people."""
    order = people.by_image()
    bounds = [0, *(np.flatnonzero(np.diff(people.image_ids[order])) + 1).tolist(), len(order)]
    return order, [
        (path, start, min(start + _CROWD, end))
        for path, (first, end) in zip(people.images.values(), pairwise(bounds), strict=True)
        for start in range(first, end, _CROWD)
    ]
