"""Relations between the keypoints of two runs on the same people: moved, scaled, rounded, mirrored or exchanged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.arrays import Bool, Float64, Floating, Indices
from harness.codecs.interface import codec_of
from harness.errors import SpecError
from harness.judge.moved_keypoints import COCO_PAIRS, OPENPOSE, crop_regions_of
from harness.predictions import Predictions
from harness.protocol import Decoder, Protocol

SAME = 0.01
"""Coordinates that differ by at most this, px, count as equal; rounding errors of single precision are smaller."""
MOST = 0.98
"""What holds for this share of keypoints or people counts as holding for all; keypoints at an edge may be clipped. A
motion must hold for this share of the moved keypoints, and of all keypoints of the people with a moved one."""
GRID = 0.02
"""Heatmap px: values this close to a whole pixel count as on it. Covers single-precision rounding for crops of several
thousand px."""
NEAR = 0.8
"""A mean direction is searched only if at least this share of the keypoints moved by less than 1 heatmap px."""
FEW = 50
"""A mean direction is searched only if at least this many keypoints moved by less than 1 heatmap px."""
SURE = 5.0
"""A mean that is more than this many standard errors from 0 counts as different from 0."""

MotionKind = Literal["keypoint order", "mirrored", "shifted", "grown", "rounded", "irregular"]


@dataclass(frozen=True)
class Motion:
    """A relation that maps the keypoints of the second run to those of the first."""

    kind: MotionKind
    text: str
    """A sentence that describes the first run relative to the second."""
    exact: bool
    """Whether it maps nearly all keypoints of the people that moved to within `SAME`."""
    order: tuple[int, ...] | None = None
    """For each keypoint of the first run, the index of the equal keypoint of the second; None if the order is equal."""


@dataclass(frozen=True)
class Sides:
    """Keypoints [N, K, 2] of the same people in two runs, px of the image, and their crops."""

    new: Float64
    old: Float64
    corners: Float64
    """[N, 1, 2] px"""
    sizes: Float64
    """[N, 1, 2] px"""
    protocol: Protocol

    @classmethod
    def of(cls, new: Predictions, old: Predictions, protocol: Protocol) -> "Sides":
        """Return the sides of two predictions of the same people in the same order, with the crops of `old`."""
        corners, sizes = crop_regions_of(old, protocol)
        return cls(new.keypoints.astype(np.float64), old.keypoints.astype(np.float64), corners, sizes, protocol)

    @property
    def off(self) -> Float64:
        """Differences new - old [N, K, 2], px of the image."""
        return self.new - self.old

    @property
    def moved(self) -> Bool:
        """[N, K] whether a keypoint has another position."""
        moved: Bool = (np.abs(self.off) > SAME).any(axis=2)
        return moved

    @property
    def sized(self) -> Bool:
        """[N] whether a crop has a size, so that it has px."""
        sized: Bool = (self.sizes > 0).all(axis=(1, 2))
        return sized

    @property
    def grid_size(self) -> tuple[int, int]:
        """Width and height of the heatmap; the lengths of vectors; for coordinates the crop's size."""
        return self.protocol.decoder.grid_size or self.protocol.crop.input_size

    def in_heatmap(self, keypoints: Float64) -> Float64:
        """Return keypoints in px of the heatmap by the convention of MSRA's decoder, or in units of `grid_size`."""
        places: Float64 = (keypoints - self.corners) / self.sizes * self.grid_size
        return places

    @property
    def off_in_heatmap(self) -> Float64:
        """Differences new - old [N, K, 2], px of the heatmap."""
        off: Float64 = self.off / self.sizes * self.grid_size
        return off

    def chosen(self, people: Bool | Indices) -> "Sides":
        """Return the sides of some people, given by a mask or indices."""
        new, old, corners, sizes = (one[people] for one in (self.new, self.old, self.corners, self.sizes))
        return Sides(new, old, corners, sizes, self.protocol)


def motions(sides: Sides) -> list[Motion]:
    """Return the motions from the second run's keypoints to the first's: one exact motion, or else average ones.

    An exact motion is one of the people with a moved keypoint, who may be few. People whose crop has no size are left
    out. The list is empty if the keypoints are the same. If several rules hold for nearly all keypoints of these
    people, the simplest is returned.
    """
    if not sides.moved.any():
        return []
    sides = sides.chosen(sides.sized)
    if not sides.moved.any():
        return [Motion("irregular", "only keypoints of people whose crop has no size moved", False)]
    moving = sides.chosen(sides.moved.any(axis=1))
    for rule in (_order, _mirrored, _shifted, _grown, _rounded):
        if found := rule(moving):
            return [found]
    return list(_irregular(sides))


def _holds(fits: Bool, sides: Sides) -> bool:
    """Return whether a relation that fits some keypoints [N, K] holds for nearly all, and for nearly all that moved."""
    return bool(fits.mean() >= MOST and fits[sides.moved].mean() >= MOST)


def _near(found: Float64, expected: Float64, tolerance: float = SAME) -> Bool:
    near: Bool = (np.abs(found - expected) <= tolerance).all(axis=-1)
    return near


def _order(sides: Sides) -> Motion | None:
    count = sides.new.shape[1]
    same = np.array(
        [
            [(np.abs(sides.new[:, k] - sides.old[:, j]) <= SAME).all(axis=1).mean() for j in range(count)]
            for k in range(count)
        ]
    )
    order = same.argmax(axis=1)
    if (same.max(axis=1) < MOST).any() or (order == np.arange(count)).all() or len(set(order.tolist())) < count:
        return None
    named = tuple(order.tolist())
    return Motion(
        "keypoint order",
        f"the keypoints are those of the baseline in another order: {_name_order(named, sides.protocol)}",
        True,
        named,
    )


def _name_order(order: Sequence[int], protocol: Protocol) -> str:
    if tuple(order) == tuple(protocol.flip_indices):
        return "left and right are exchanged"
    if protocol.flip_indices == COCO_PAIRS:
        if tuple(order) == OPENPOSE:
            return "OpenPose's"
        if tuple(order) == tuple(np.argsort(OPENPOSE)):
            return "taken for OpenPose's"
    changed = [k for k, j in enumerate(order) if k != j]
    if len(changed) == 2:
        return f"{changed[0]} and {changed[1]} are exchanged"
    return " ".join(map(str, order))


def _mirrored(sides: Sides) -> Motion | None:
    """Return a motion if keypoints are mirrored within their crops, with or without left and right exchanged."""
    width = sides.protocol.crop.input_size[0]
    orders = {"": list(range(sides.new.shape[1])), ", left and right exchanged": list(sides.protocol.flip_indices)}
    for words, order in orders.items():
        old = sides.old[:, order]
        mirror = 2 * sides.corners[..., 0] + sides.sizes[..., 0] - old[..., 0]
        beside = (sides.new[..., 0] - mirror) / sides.sizes[..., 0] * width  # px of the crop
        usual = float(np.median(beside))
        across, down = np.abs(beside - usual) <= 2 * SAME, _near(sides.new[..., 1:], old[..., 1:])
        if _holds(across, sides) and _holds(down, sides) and abs(usual) < width / 4:
            shifted = f", {usual:+.3g} px of the crop beside the mirror image" if abs(usual) > SAME else ""
            return Motion("mirrored", f"the keypoints are mirrored within their crops{words}{shifted}", True)
    return None


def _shifted(sides: Sides) -> Motion | None:
    """Return a motion if all keypoints are moved by the same vector, in px of the image or of the crop."""
    for what, scale in (("image", np.ones(2)), ("crop", np.array(sides.protocol.crop.input_size) / sides.sizes)):
        off = sides.off * scale
        usual = np.median(off, axis=(0, 1))
        if np.abs(usual).max() > SAME and _holds(_near(off, usual, 2 * SAME), sides):
            axis = _one_axis(usual)
            return Motion("shifted", f"all keypoints are moved by ({_numbers(usual)}) px of the {what}{axis}", True)
    return None


def _one_axis(moved: Floating) -> str:
    still = np.abs(moved) <= SAME
    return f", along {'y' if still[0] else 'x'} only" if still.any() and not still.all() else ""


def _grown(sides: Sides) -> Motion | None:
    """Return a motion if distances from a fixed point of the crop are longer or shorter by a factor."""
    size = np.array(sides.protocol.crop.input_size, np.float64)
    places = (sides.old - sides.corners) / sides.sizes  # 0 is the upper left corner, 1 the lower right
    off = sides.off / sides.sizes
    lines = []
    for axis in range(2):
        steep, offset = np.polyfit(places[..., axis].ravel(), off[..., axis].ravel(), 1)
        rest = (off[..., axis] - steep * places[..., axis] - offset) * size[axis]
        if not _holds(np.abs(rest) <= 2 * SAME, sides):
            return None
        lines.append((float(steep), float(offset)))
    if all(abs(steep) * length <= 2 * SAME for (steep, _), length in zip(lines, size, strict=True)):
        return None
    words = []
    for name, (steep, offset) in zip("xy", lines, strict=True):
        fixed = -offset / steep if abs(steep) > 1e-9 else 0.0
        words.append(f"{name} by {1 + steep:.4g} about {fixed:.2g} of the crop")
    return Motion("grown", f"distances within the crop are longer by a factor: {', '.join(words)}", True)


Rounding = Callable[[Float64], Float64]
ROUNDINGS: tuple[tuple[str, float, Rounding], ...] = (
    ("rounded to whole pixels", 1, np.rint),
    ("cut to whole pixels", 1, np.floor),
    ("rounded to quarters of pixels", 0.25, lambda values: np.rint(4 * values) / 4),
    ("rounded to halves of pixels", 0.5, lambda values: np.rint(2 * values) / 2),
)
"""Ways to round, each with its step, px."""


def _rounded(sides: Sides) -> Motion | None:
    """Return a motion if one side is the other one rounded, in px of the image, of the crop or of the heatmap.

    A rounding to steps on which the codec always places keypoints is none: any slight movement of the other side looks
    like it.
    """
    own = _own_step(sides.protocol.decoder)
    grid, crop = sides.protocol.decoder.grid, sides.protocol.crop.input_size
    for what, size in (("image", None), (grid, np.array(sides.grid_size)), ("crop", np.array(crop))):
        new, old = (
            side if size is None else (side - sides.corners) / sides.sizes * size for side in (sides.new, sides.old)
        )
        for words, step, rounding in ROUNDINGS:
            if own and size is not None and _divides(step, own * size / sides.grid_size):
                continue
            for finer, coarser, whose in ((old, new, ""), (new, old, "the baseline's are the run's ")):
                axes = [_holds(_rounds(finer[..., axis], coarser[..., axis], rounding), sides) for axis in range(2)]
                still = [_holds(np.abs(new[..., axis] - old[..., axis]) <= GRID, sides) for axis in range(2)]
                if all(fits or same for fits, same in zip(axes, still, strict=True)) and not all(still):
                    along = f", along {'y' if still[0] else 'x'} only" if any(still) else ""
                    said = f"{whose or 'the keypoints are those of the baseline '}{words} of the {what}{along}"
                    return Motion("rounded", said, True)
    return None


def _own_step(decoder: Decoder) -> float | None:
    """Return the step, px of the heatmap or of the vectors, on which a codec always places keypoints; None if none."""
    if decoder.simcc_lengths:
        return 1.0
    try:
        return 0.25 if codec_of(decoder).steps else None
    except SpecError:  # of a package that is not installed
        return None


def _divides(step: float, steps: Float64) -> bool:
    """Return whether all multiples of some steps are multiples of `step`."""
    ratios = steps / step
    return bool((np.abs(ratios - np.rint(ratios)) <= 1e-9).all())


def _rounds(finer: Float64, coarser: Float64, rounding: Rounding) -> Bool:
    """Return which coarser values are the finer ones rounded; values half way may be rounded up or down."""
    near = np.minimum(np.abs(rounding(finer - GRID) - coarser), np.abs(rounding(finer + GRID) - coarser))
    rounded: Bool = near <= 2 * GRID
    return rounded


def _irregular(sides: Sides) -> Iterator[Motion]:
    """Yield averages for keypoints that no rule explains."""
    off = sides.off_in_heatmap
    percent, far = 100 * sides.moved.mean(), float(np.median(np.abs(off).max(axis=2)[sides.moved]))
    still = (np.abs(sides.off[sides.moved]) <= SAME).mean(axis=0) >= MOST
    along = f", along {'y' if still[0] else 'x'} only" if still.any() else ""
    grid = sides.protocol.decoder.grid
    share = f"{percent:.0f}" if percent >= 1 else f"{percent:.1g}"
    moved = f"{share} % of the keypoints moved{along}, the median of these by {far:.2g} px of the {grid}"
    yield Motion("irregular", f"{moved}; no rule that was tried gives it", False)
    near = (np.abs(off) < 1).all(axis=2)  # the other keypoints are at another peak
    if near.sum() < FEW or near.mean() < NEAR:
        return
    means, errors = off[near].mean(axis=0), off[near].std(axis=0) / np.sqrt(near.sum())
    sure = np.abs(means) > SURE * errors + GRID / 2
    if sure.any():
        axis = "" if sure.all() else f", along {'x' if sure[0] else 'y'} only"
        spread = f"± {_numbers(errors, '')}"
        yield Motion(
            "shifted",
            f"on average they moved by ({_numbers(means)}) {spread} px of the {grid}{axis}",
            False,
        )
    places = ((sides.old - sides.corners) / sides.sizes - 0.5) * sides.grid_size
    steep = np.array([_slope(places[near][:, axis], off[near][:, axis]) for axis in range(2)])
    if (np.abs(steep[:, 0]) > SURE * steep[:, 1]).all() and (np.abs(steep[:, 0]) > 0.005).all():
        yield Motion(
            "grown",
            f"on average distances from the middle of the crop are {_numbers(100 * steep[:, 0])} % longer",
            False,
        )


def _slope(at: Float64, values: Float64) -> tuple[float, float]:
    """Return the slope of a linear fit of values over positions, and its standard error."""
    centred = at - at.mean()
    square = float((centred**2).sum())
    slope = float((centred * values).sum() / max(square, 1e-9))
    rest = values - values.mean() - slope * centred
    return slope, float(np.sqrt((rest**2).mean() / max(square, 1e-9)))


def _numbers(values: Any, sign: str = "+") -> str:
    return ", ".join(f"{value:{sign}.2g}" for value in values)
