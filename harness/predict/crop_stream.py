"""Crops of all people. Each image is decoded once for all its people and all requested crop geometries."""

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
"""Images per thread that are processed ahead of the consumer; bounds the memory."""
_CROWD = 256
"""People cut out of an image at a time. An image with more people is decoded again, at little relative cost."""
_THREADS = 16


def crop_stream(
    people: People,
    crops: Sequence[Crop],
    size: int,
    threads: int | None = None,
    uploads: Uploads | None = None,
    cut_out: CutOut = warp,
) -> Generator[tuple[Indices, list[Image]], None, None]:
    """Cut out all people, image by image. The order is that of the images, for any number of threads.

    OpenCV releases the GIL while it decodes and warps, so threads run in parallel. Memory does not grow with the number
    of people.

    Args:
        people: N people.
        crops: The requested crop geometries.
        size: Number of people per step; the last step may have fewer.
        threads: Number of threads; None for one per processor that this process may use.
        uploads: Copies crops to a device; None for a CPU. If a copy has begun when the next step is requested, its
            crops stay unchanged until the copy is complete.
        cut_out: Function that cuts a crop.

    Yields:
        The indices [n] of people and, for each geometry, their crops [n, H, W, 3] BGR. The crops are valid until the
        next step is requested; their memory is then reused.

    Raises:
        RunError: An image cannot be read.
    """
    shapes = [crop.input_size for crop in crops]
    matrices = [crop_regions(people, crop).matrices for crop in crops]
    order, groups = _by_image(people)
    blocks: dict[int, list[Image]] = {}
    """By block number: crops of `size` people, one array per geometry. Several images may fill one block."""
    spare: deque[tuple[list[Image], Callable[[], object]]] = deque()
    """Blocks to reuse, each with a function that waits until the block may be overwritten."""
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
        finally:  # the consumer may stop before the end of the stream
            pool.shutdown(wait=False, cancel_futures=True)
            uploads.fence()()  # wait for running copies before the memory of the blocks is freed


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_image(people: People) -> tuple[Indices, list[tuple[Path, int, int]]]:
    """Return the order [N] in which people are cut out, and parts of it: path of an image, first and end position."""
    order = people.by_image()
    bounds = [0, *(np.flatnonzero(np.diff(people.image_ids[order])) + 1).tolist(), len(order)]
    return order, [
        (path, start, min(start + _CROWD, end))
        for path, (first, end) in zip(people.images.values(), pairwise(bounds), strict=True)
        for start in range(first, end, _CROWD)
    ]
