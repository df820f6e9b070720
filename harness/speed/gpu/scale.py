"""How much is measured: on a GPU enough for its speed, on a CPU a little of everything, to rehearse."""

import time
from dataclasses import dataclass

import torch

from harness.speed.whole_runs import ONE_ROW, TEN_ROWS

TEN = tuple(TEN_ROWS.split(","))


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements."""

    batch: int | None
    """People a batch at most; None for those of a run."""
    seconds: float
    """That a rate is measured for."""
    images: int
    """In the data of whole runs; the given ones serve under many ids."""
    boxes: tuple[int, ...]
    """In a whole run: the first of these numbers for which the time suffices, or the last."""
    part_of: int
    """Boxes in the data of which a part is for what follows."""
    cropped_images: int
    """That crops are made from."""
    upstream_images: int
    """For MMPose's test script."""
    one: str
    """The row that is run alone."""
    several: tuple[str, ...]
    """Those that are run at once."""


FULL = Sizes(
    batch=None,
    seconds=0.25,
    images=5000,
    boxes=(104_125, 52_000, 20_000, 8_000),
    part_of=104_125,
    cropped_images=1000,
    upstream_images=80,
    one=ONE_ROW,
    several=TEN,
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
    """The end of the time that a measurement may take."""

    def __init__(self, minutes: float) -> None:
        self._begun = time.monotonic()
        self._seconds = 60 * minutes

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds to the end; less than zero behind it."""
        return self._seconds - self.spent
