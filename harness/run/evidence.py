"""Checks saved predictions for signs of other settings: boxes, crop areas, positions of keypoints. Needs no claims."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Float64, Floating, Indices
from harness.assets.dataset import same_file
from harness.datasets.people import People, load_people
from harness.errors import ObtainError
from harness.judge.motion import MOST, SAME
from harness.judge.moved_keypoints import crop_regions_of
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions
from harness.protocol import Protocol

QUARTERS = 4
"""MSRA's decoder places a keypoint on a pixel of the heatmap, or a quarter pixel beside it."""
REFINED = ("dark", "udp", "udp-combined")
"""Codecs that place keypoints between quarters of pixels."""
SHIFTS = (-1.0, -0.5, 0.5, 1.0)


def evidence(predictions: Predictions, protocol: Protocol, data: Path) -> list[str]:
    """Return the deviations of predictions from their own protocol, one sentence each.

    The boxes are compared with those of the data set. If its files are missing, the only sentence reports this.
    """
    try:
        people = _people(protocol, data)
    except ObtainError as error:
        return [f"the boxes are not compared with those of the data set: {error}"]
    return [*_of_people(predictions, people, protocol), *_of_keypoints(predictions, protocol)]


def _people(protocol: Protocol, data: Path) -> People:
    boxes = protocol.boxes.file
    annotations = [same_file(data, file, "the annotation file") for file in protocol.annotation_files]
    people = load_people(
        protocol.dataset,
        annotations[0],
        data,
        same_file(data, boxes, "the box file") if boxes else None,
        protocol.boxes.score_threshold,
    )
    return people if protocol.limit is None else people.first_images(protocol.limit)


@dataclass(frozen=True)
class _Pairs:
    """Indices [n] of people of the data set and of the predictions for them."""

    people: Indices
    predictions: Indices


def _paired(predictions: Predictions, people: People) -> _Pairs:
    place = {key: i for i, key in enumerate(zip(people.image_ids.tolist(), people.ids.tolist(), strict=True))}
    keys = zip(predictions.image_ids.tolist(), predictions.person_ids.tolist(), strict=True)
    found = np.array([place.get(key, -1) for key in keys], np.intp)
    return _Pairs(found[found >= 0], np.flatnonzero(found >= 0))


def _of_people(predictions: Predictions, people: People, protocol: Protocol) -> Iterator[str]:
    pairs = _paired(predictions, people)
    known = len(np.unique(pairs.people))
    if known < len(people):
        yield f"{len(people) - known} of the data set's {len(people)} people are not among the predictions"
    if known < len(pairs.people):
        yield f"{len(pairs.people) - known} predictions are repeated: their people have another prediction"
    if len(pairs.people) < len(predictions):
        yield f"{len(predictions) - len(pairs.people)} predictions are of people who are not in the data set"
    if not known:
        return
    yield from _of_boxes(predictions.boxes[pairs.predictions], people.boxes[pairs.people])
    off = np.abs(predictions.box_scores[pairs.predictions] - people.scores[pairs.people]) > 1e-6
    if off.any():
        yield f"the box scores of {off.sum()} of {len(off)} people are not those of the data set's boxes"

    sizes = people.sizes[pairs.people]
    areas = predictions.crop_areas[pairs.predictions].astype(np.float64)
    padded = padded_sizes(sizes, protocol.crop).prod(axis=1)
    ratios = areas / np.maximum(padded, 1e-9)
    if (np.abs(ratios - 1) > 1e-3).mean() < 1 - MOST:
        return
    if _alike(areas, sizes.prod(axis=1)):
        yield "the crop areas, which NMS uses as scale, are the areas of the boxes: without padding and aspect ratio"
    elif _alike(ratios, np.full(len(ratios), np.median(ratios))):
        padding = protocol.crop.padding * float(np.sqrt(np.median(ratios)))
        yield f"the crop areas are those of a padding of {padding:.3g}, not {protocol.crop.padding:g}"
    else:
        yield "the crop areas, which NMS uses as scale, do not follow from the boxes and the padding"


def _of_boxes(found: Floating, expected: Floating) -> Iterator[str]:
    """Yield differences between boxes x1, y1, x2, y2 [n, 4]."""
    off = found.astype(np.float64) - expected
    differ = (np.abs(off) > SAME).any(axis=1)
    if not differ.any():
        return
    usual = np.median(off, axis=0)
    if differ.mean() >= MOST and (np.abs(off - usual) <= SAME).all(axis=1).mean() >= MOST:
        yield f"the boxes are ({', '.join(f'{value:+.3g}' for value in usual)}) px off those of the data set"
    else:
        some = f"{differ.sum()} of {len(off)} people"
        yield f"the boxes of {some} are not those of the data set, by up to {np.abs(off).max():.3g} px"


def _alike(values: Float64, expected: Floating) -> bool:
    return bool((np.abs(values - expected) <= 1e-3 * expected).mean() >= MOST)


def _of_keypoints(predictions: Predictions, protocol: Protocol) -> Iterator[str]:
    keypoints = predictions.keypoints.astype(np.float64)
    if (np.abs(keypoints - np.rint(keypoints)) < 1e-3).mean() >= MOST:
        yield "the keypoints are whole pixels of the image"
        return
    if not protocol.decoder.heatmap_size:
        return
    size = np.array(protocol.decoder.heatmap_size)
    corners, sizes = crop_regions_of(predictions, protocol)
    sized = (sizes > 0).all(axis=(1, 2))
    if not sized.any():
        return
    corners, keypoints = corners[sized], keypoints[sized]
    scale = sizes[sized] / size
    places = (keypoints - corners) / scale
    quarters = _on_grid(places).all()
    if protocol.decoder.codec != "msra":
        if quarters and protocol.decoder.codec in REFINED:
            yield f"the keypoints are where MSRA's decoder places them, not {protocol.decoder.codec}'s"
        return
    if quarters:
        for axis, name in enumerate("xy"):
            if (np.abs(places[..., axis] - np.rint(places[..., axis])) < 0.02).mean() >= MOST:
                yield f"the keypoints are on whole pixels of the heatmap along {name}: the decoder took no quarter step"
        return
    ratio = size / np.array(protocol.crop.input_size)
    for shift in SHIFTS:
        for what, moved in (("image", shift / scale), ("crop", shift * ratio), ("heatmap", shift / 4)):
            if _on_grid(places - moved).all():
                pixels = shift / 4 if what == "heatmap" else shift
                yield f"the keypoints are {pixels:+g} px of the {what} off where MSRA's decoder places them"
                return
    yield "the keypoints are not where MSRA's decoder places them, on quarters of heatmap pixels"


def _on_grid(places: Float64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For x and y, return whether keypoints [N, K, 2], px of the heatmap, are on quarters of pixels, not on halves."""
    steps = places * QUARTERS
    near = (np.abs(steps - np.rint(steps)) < 0.08) & (np.rint(steps) % QUARTERS != 2)
    on_grid: np.ndarray[tuple[int], np.dtype[np.bool_]] = near.mean(axis=(0, 1)) >= MOST
    return on_grid
