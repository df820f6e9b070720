"""Sizes of the measurements: on a GPU large enough for its full speed, on a CPU small for a rehearsal."""

import time
from dataclasses import dataclass

import torch

from harness.speed.whole_runs import ONE_ROW, TEN_ROWS


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements."""

    batch: int | None
    """Maximum number of people per batch; None for the batch size of a run."""
    seconds: float
    """Duration of the measurement of a rate."""
    images: int
    """Images in the data of whole runs; the given images are repeated under several ids."""
    boxes: tuple[int, ...]
    """Boxes in a whole run: the first of these numbers for which the time is enough, or the last."""
    part_of: int
    """Boxes in the data of which the following measurements use a part."""
    cropped_images: int
    """Images from which crops are made."""
    upstream_images: int
    """Images for MMPose's test script."""
    one: str
    """The row that is run alone."""
    several: tuple[str, ...]
    """The rows that are run together."""


FULL = Sizes(
    batch=None,
    seconds=0.25,
    images=5000,
    boxes=(104_125, 52_000, 20_000, 8_000),
    part_of=104_125,
    cropped_images=1000,
    upstream_images=80,
    one=ONE_ROW,
    several=TEN_ROWS,
)
TINY = Sizes(
    batch=1,
    seconds=0.01,
    images=2,
    boxes=(8,),
    part_of=42,
    cropped_images=2,
    upstream_images=2,
    one="alexnet-256x192",
    several=("alexnet-256x192", "shufflenet-v2-256x192"),
)


def scale_for(device: torch.device) -> Sizes:
    """Return the sizes for a device."""
    return FULL if device.type == "cuda" else TINY


class Deadline:
    """The end of the time for measurements."""

    def __init__(self, minutes: float) -> None:
        self._begun = time.monotonic()
        self._seconds = 60 * minutes

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds to the end; negative after it."""
        return self._seconds - self.spent
