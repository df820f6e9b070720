"""Other conventions for writing keypoints of the same heatmaps: moved, rounded or in another order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.arrays import Floating
from harness.judge.explanation import TriedSetting
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions
from harness.protocol import Protocol

Move = Callable[[Predictions, Protocol], Predictions]

OPENPOSE = (0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's order of COCO's keypoints, without its neck: right arm, left arm, legs, eyes and ears."""
COCO_PAIRS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""COCO's mirror images; a protocol with these has COCO's keypoints."""
FEW_PAIRS = 20
"""If there are more pairs of left and right keypoints, such as those of a face, no single pair is exchanged."""


def keypoint_moves(protocol: Protocol) -> Iterator[tuple[TriedSetting, Move]]:
    """Yield changes of a run's keypoints, each with the setting that it changes."""
    yield from _orders(protocol)
    image = np.ones(2)
    yield TriedSetting("pixel coordinates", "counted from 0", "counted from 1"), _by_image(image)
    yield TriedSetting("pixel coordinates", "as they are", "counted from 1, turned to 0"), _by_image(-image)
    for sign, direction in ((0.5, "right and down"), (-0.5, "left and up")):
        half = f"half a pixel to the {direction}"
        yield TriedSetting("keypoints in the image", "as decoded", half), _by_image(sign * image)
        yield TriedSetting("keypoints in the crop", "as decoded", half), _by_size(protocol.crop.input_size, sign)
        if heatmap := protocol.decoder.heatmap_size:
            yield TriedSetting("keypoints in the heatmap", "as decoded", half), _by_size(heatmap, sign)
    yield TriedSetting("coordinates written", "in full", "rounded to whole pixels"), _written(np.rint)
    yield TriedSetting("coordinates written", "in full", "cut to whole pixels"), _written(np.trunc)
    if protocol.decoder.heatmap_size:
        yield from _of_heatmaps(protocol)


def _of_heatmaps(protocol: Protocol) -> Iterator[tuple[TriedSetting, Move]]:
    """Yield changes that result from other methods of decoding heatmaps."""
    for axes, name in (((0, 1), "none"), ((1,), "along x only"), ((0,), "along y only")):
        yield TriedSetting("step between heatmap pixels", "as decoded", name), _without_step(axes)

    width, height = protocol.decoder.map_size
    larger = np.array([width / (width - 1), height / (height - 1)])
    yield TriedSetting("map back to the image", "as it is", "by W / (W - 1)"), _scaled(larger)
    yield TriedSetting("map back to the image", "as it is", "by (W - 1) / W"), _scaled(1 / larger)
    across, down = np.divide(protocol.crop.input_size, protocol.decoder.map_size)
    if across != down:  # as MMPose's transform_preds did until 12a0e1e67
        width_only = TriedSetting("map back to the image", "both strides", "the width's stride")
        yield width_only, _scaled(np.array([1, across / down]), about=0.5)


def _orders(protocol: Protocol) -> Iterator[tuple[TriedSetting, Move]]:
    def order(tried: str, *indices: int) -> tuple[TriedSetting, Move]:
        return TriedSetting("keypoint order", "as given", tried), _ordered(indices)

    for first, second in single_pairs(protocol.flip_indices):
        swapped = list(range(protocol.num_keypoints))
        swapped[first], swapped[second] = second, first
        yield order(f"{first} and {second} swapped", *swapped)
    if len(_pairs(protocol.flip_indices)) > 1:
        yield order("left and right exchanged", *protocol.flip_indices)
    if protocol.flip_indices == COCO_PAIRS:
        yield order("OpenPose's", *OPENPOSE)
        yield order("taken for OpenPose's", *np.argsort(OPENPOSE).tolist())


def single_pairs(mirror: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of left and right keypoints; an empty list if there are so many that one hardly matters."""
    pairs = _pairs(mirror)
    return pairs if len(pairs) <= FEW_PAIRS else []


def _pairs(mirror: Sequence[int]) -> list[tuple[int, int]]:
    return [(first, second) for first, second in enumerate(mirror) if first < second]


def _ordered(indices: tuple[int, ...]) -> Move:
    def move(predictions: Predictions, _: Protocol) -> Predictions:
        keypoints, scores = predictions.keypoints[:, indices], predictions.keypoint_scores[:, indices]
        return replace(predictions, keypoints=keypoints, keypoint_scores=scores)

    return move


def _changed(function: Callable[[Floating, Predictions, Protocol], Floating]) -> Move:
    def move(predictions: Predictions, protocol: Protocol) -> Predictions:
        moved = function(predictions.keypoints, predictions, protocol)
        # A run has one precision, and a metric in single precision shows the other one.
        return replace(predictions, keypoints=moved.astype(predictions.keypoints.dtype))

    return move


def _by_image(offset: Floating) -> Move:
    return _changed(lambda keypoints, *_: keypoints + offset)


def _by_size(size: tuple[int, int], pixels: float) -> Move:
    """Move keypoints by a number of pixels of a crop or heatmap; `size` is its width and height."""
    return _changed(
        lambda keypoints, predictions, protocol: keypoints + pixels * crop_regions_of(predictions, protocol)[1] / size
    )


def _written(rounding: Callable[[Floating], Floating]) -> Move:
    return _changed(lambda keypoints, *_: rounding(keypoints))


def _scaled(factors: Floating, about: float = 0.0) -> Move:
    """Scale the distances of keypoints from a point of their crop: 0 is its upper left corner, 0.5 its middle."""

    def function(keypoints: Floating, predictions: Predictions, protocol: Protocol) -> Floating:
        corners, sizes = crop_regions_of(predictions, protocol)
        fixed = corners + about * sizes
        moved: Floating = fixed + (keypoints - fixed) * factors
        return moved

    return _changed(function)


def _without_step(axes: tuple[int, ...]) -> Move:
    """Round keypoints to whole pixels of the heatmap along some axes."""

    def function(keypoints: Floating, predictions: Predictions, protocol: Protocol) -> Floating:
        corners, sizes = crop_regions_of(predictions, protocol)
        scale = np.maximum(sizes, 1e-9) / protocol.decoder.map_size
        moved = np.array(keypoints, np.float64)
        whole = corners + np.rint((keypoints - corners) / scale) * scale
        moved[..., axes] = whole[..., axes]
        return moved

    return _changed(function)


def crop_regions_of(predictions: Predictions, protocol: Protocol) -> tuple[Floating, Floating]:
    """Return the upper left corners and the sizes [N, 1, 2] of the crops, px of the image."""
    boxes = predictions.boxes.astype(np.float64)
    sizes = padded_sizes(predictions.sizes, protocol.crop)
    return ((boxes[:, :2] + boxes[:, 2:] - sizes) / 2)[:, None], sizes[:, None]
