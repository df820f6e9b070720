"""Faults of many kinds, planted in a run of the demo suite: by its config, its weights, its data, or other code.

Each fault states which words of a cause name it. Faults of code are patched only during the run; `explain` then runs
with correct code, as for results from another machine.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from planting import Fault
from torch.nn import functional

from harness.arrays import Image
from harness.codecs.interface import Codec
from harness.datasets.people import People
from harness.judge.moved_keypoints import OPENPOSE
from harness.metrics.families.oks import family as oks_family
from harness.predict import crop_stream, crops, forward, shared
from harness.predict.crops import read_image
from harness.predict.networks import normalise
from harness.predict.other_crops import OTHER_CUTS
from harness.predict.warp import warp_affine
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.run.plan import Plan

ANNOTATIONS = "demo/coco/annotations/person_keypoints_val.json"
HEATMAP = np.array([24, 32])
INPUT = np.array([96, 128])


@dataclass(frozen=True)
class Planted:
    """A fault, with words; a cause names the fault if it contains one of them."""

    names: tuple[str, ...]
    config: str = ""
    codec: str = "msra"
    patch: Callable[[pytest.MonkeyPatch], None] | None = None
    data: Callable[[Path], None] | None = None
    """Changes a copy of the data."""
    weights: Callable[[dict[str, torch.Tensor]], None] | None = None
    """Changes the weights."""

    @property
    def fault(self) -> Fault:
        """The changes of the config."""
        return Fault(self.codec, self.config)


def _pipeline(padding: float) -> str:
    steps = (
        f"dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding={padding}), "
        "dict(type='TopdownAffine', input_size=(96, 128)), dict(type='PackPoseInputs')"
    )
    return f"test_dataloader = dict(dataset=dict(pipeline=[{steps}]))"


def _pixels(mean: float, std: float) -> str:
    return f"model = dict(data_preprocessor=dict(mean=[{mean}] * 3, std=[{std}] * 3))"


def _people(function: Callable[[People], People]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patched: pytest.MonkeyPatch) -> None:
        right = Plan._read_people
        patched.setattr(Plan, "_read_people", lambda plan: function(right(plan)))

    return plant


def _boxes(function: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    def changed(people: People) -> People:
        return People.from_boxes(
            people.ids, people.image_ids, function(people.boxes).astype(np.float32), people.scores, people.images
        )

    return _people(changed)


def _twice(people: People) -> People:
    return people.take(np.r_[np.arange(len(people)), np.arange(len(people) // 3)])


def _half(people: People) -> People:
    return people.take(people.image_ids <= np.median(np.unique(people.image_ids)))


def _without_one_image(people: People) -> People:
    return people.take(people.image_ids != people.image_ids[0])


def _unscored(people: People) -> People:
    return replace(people, scores=np.ones_like(people.scores))


def _predictions(function: Callable[[Predictions], Predictions]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patched: pytest.MonkeyPatch) -> None:
        right = shared._Collector.predictions
        patched.setattr(shared._Collector, "predictions", lambda collector: function(right(collector)))

    return plant


def _keypoints(function: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return _predictions(lambda made: replace(made, keypoints=function(made.keypoints)))


def _ordered(order: Sequence[int]) -> Callable[[pytest.MonkeyPatch], None]:
    return _predictions(
        lambda made: replace(
            made, keypoints=made.keypoints[:, list(order)], keypoint_scores=made.keypoint_scores[:, list(order)]
        )
    )


def _exchanged(made: Predictions) -> Predictions:
    """Return the poses of the people of each image in reverse order."""
    order = np.arange(len(made))
    for image in np.unique(made.image_ids):
        here = np.flatnonzero(made.image_ids == image)
        order[here] = here[::-1]
    return replace(made, keypoints=made.keypoints[order], keypoint_scores=made.keypoint_scores[order])


def _in_the_next_image(made: Predictions) -> Predictions:
    images = np.unique(made.image_ids)
    return replace(made, image_ids=np.roll(images, -1)[np.searchsorted(images, made.image_ids)])


def _last_batch_stale(made: Predictions) -> Predictions:
    """Return the last batch of 32, which is smaller, with the results of the batch before it."""
    keypoints, scores, last = made.keypoints.copy(), made.keypoint_scores.copy(), len(made) % 32
    keypoints[-last:], scores[-last:] = keypoints[-32 - last : -32], scores[-32 - last : -32]
    return replace(made, keypoints=keypoints, keypoint_scores=scores)


def _with_areas_of_boxes(made: Predictions) -> Predictions:
    return replace(made, crop_areas=(made.boxes[:, 2:] - made.boxes[:, :2]).prod(axis=1))


def _decoded(function: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Change keypoints [n, K, 2] in px of the heatmap before they are mapped to the image."""

    def plant(patched: pytest.MonkeyPatch) -> None:
        right = shared._to_image
        ratio = INPUT / HEATMAP
        patched.setattr(shared, "_to_image", lambda points, *rest: right(function(points / ratio) * ratio, *rest))

    return plant


def _whole_along_y(points: Any) -> Any:
    return np.stack([points[..., 0], np.rint(points[..., 1])], axis=-1)


def _cut(name: tuple[str, str]) -> Callable[[pytest.MonkeyPatch], None]:
    def warp(image: Image, matrix: Any, out: Image) -> None:
        OTHER_CUTS[name](image, matrix, (out.shape[1], out.shape[0]), out)

    # The other cuts use OpenCV's own warp, or MMPose's by its first name.
    return lambda patched: patched.setattr(crops, "warp_affine", warp)


def _moved_crop(x: float, y: float) -> Callable[[pytest.MonkeyPatch], None]:
    def warp(image: Image, matrix: Any, out: Image) -> None:
        warp_affine(image, matrix + np.array([[0, 0, x], [0, 0, y]]), out)

    return lambda patched: patched.setattr(crops, "warp_affine", warp)


def _larger_crop(image: Image, matrix: Any, out: Image) -> None:
    """Make crops ten per cent larger than the region that keypoints are mapped back to."""
    middle = np.array([out.shape[1] / 2, out.shape[0] / 2])
    smaller = matrix / 1.1
    smaller[:, 2] += middle * (1 - 1 / 1.1)
    warp_affine(image, smaller, out)


def _inputs(function: Callable[[Any, torch.Tensor], torch.Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patched: pytest.MonkeyPatch) -> None:
        patched.setattr(
            forward, "normalise", lambda network, *rest: function(network, normalise(network, *rest)).contiguous()
        )

    return plant


def _tf32(inputs: torch.Tensor) -> torch.Tensor:
    """Cut the fractions of single precision from 23 bits to 10."""
    bits: torch.Tensor = inputs.contiguous().view(torch.int32) & ~0x1FFF
    return bits.view(torch.float32)


def _divided(network: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return the result of normalising pixels from 0 to 1 as if they were from 0 to 255."""
    mean, std = network.data_preprocessor.mean, network.data_preprocessor.std
    divided: torch.Tensor = ((inputs * std + mean) / 255 - mean) / std
    return divided


def _heatmaps(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patched: pytest.MonkeyPatch) -> None:
        right = forward.flip_tested
        patched.setattr(forward, "flip_tested", lambda *arguments: function(right(*arguments)).contiguous())

    return plant


def _mirrored_otherwise(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patched: pytest.MonkeyPatch) -> None:
        right = Codec.mirrored_back
        patched.setattr(Codec, "mirrored_back", lambda *arguments: function(right(*arguments)))

    return plant


def _without_flip_test(after: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Make no flip test after some batches."""

    def plant(patched: pytest.MonkeyPatch) -> None:
        right, batches = forward.flip_tested, itertools.count()

        def flip_tested(outputs: Any, mirrored: Any, protocol: Protocol) -> Any:
            off = protocol.flip.model_copy(update={"enabled": False, "shift": False})
            made = protocol.model_copy(update={"flip": off}) if next(batches) >= after else protocol
            return right(outputs, mirrored, made)

        patched.setattr(forward, "flip_tested", flip_tested)

    return plant


def _to_the_right(heatmaps: torch.Tensor) -> torch.Tensor:
    heatmaps[..., 1:] = heatmaps[..., :-1].clone()
    return heatmaps


def _read(function: Callable[[Path, Image], Image]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patched: patched.setattr(crop_stream, "read_image", lambda path: function(path, read_image(path)))


def _some_turned(path: Path, image: Image) -> Image:
    """Rotate one image in five, as if its EXIF tag were ignored."""
    return np.ascontiguousarray(image[::-1, ::-1]) if sum(path.name.encode()) % 5 == 0 else image


def _compressed(_: Path, image: Image) -> Image:
    """Return the image after a compression by JPEG."""
    decoded: Image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)
    return decoded


def _grey(_: Path, image: Image) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)


def _scored_so(**fields: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Score with other settings than those of the protocol."""

    def plant(patched: pytest.MonkeyPatch) -> None:
        right = oks_family.Oks.match
        patched.setattr(
            oks_family.Oks,
            "match",
            lambda family, predictions, scoring, truth: right(
                family, predictions, scoring.model_copy(update=fields), truth
            ),
        )

    return plant


def _annotations(function: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        path = data / ANNOTATIONS
        document = json.loads(path.read_text(encoding="utf-8"))
        for one in document["annotations"]:
            function(one)
        path.write_text(json.dumps(document), encoding="utf-8")

    return change


def _only_visible(one: dict[str, Any]) -> None:
    one["keypoints"] = [value if number % 3 != 2 or value == 2 else 0 for number, value in enumerate(one["keypoints"])]
    one["num_keypoints"] = sum(value == 2 for value in one["keypoints"][2::3])


def _no_crowd(one: dict[str, Any]) -> None:
    one["iscrowd"] = 0


def _area_of_box(one: dict[str, Any]) -> None:
    one["area"] = one["bbox"][2] * one["bbox"][3]


def _black(images: slice) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        for path in sorted((data / "demo/coco/val").iterdir())[images]:
            cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path))))

    return change


def _noisy(state: dict[str, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    for name, values in state.items():
        if name.endswith("weight"):
            values *= 1 + 0.001 * torch.randn(values.shape, generator=generator)


def _reset_a_layer(state: dict[str, torch.Tensor]) -> None:
    state["head.final_layer.weight"] *= 0.5
    state["head.final_layer.weight"] += 0.02 * torch.randn(
        state["head.final_layer.weight"].shape, generator=torch.Generator().manual_seed(0)
    )


def _evaluator(setting: str) -> str:
    return f"test_evaluator = dict({setting})"


TABLE: dict[str, Planted] = {
    "mean and std 0.5": Planted(("normalisation",), _pixels(127.5, 127.5)),
    "0..1 scaling": Planted(("normalisation",), _pixels(0.0, 255.0)),
    "0..1 pixels, mean and std of 0..255": Planted(("normalisation",), patch=_inputs(_divided)),
    "colours exchanged": Planted(("normalisation",), "model = dict(data_preprocessor=dict(bgr_to_rgb=False))"),
    "padding 1.1": Planted(("padding",), _pipeline(1.1)),
    "DARK's kernel 17": Planted(
        ("blur_kernel_size",), "model = dict(head=dict(decoder=dict(blur_kernel_size=17)))", "dark"
    ),
    "plain decoder": Planted(
        ("decoder.codec", "decoder"), "model = dict(head=dict(decoder=dict(unbiased=False)))", "dark"
    ),
    "no flip test": Planted(("flip.enabled", "flip test"), "model = dict(test_cfg=dict(flip_test=False))"),
    "no shift": Planted(("flip.shift", "flip test"), "model = dict(test_cfg=dict(shift_heatmap=False))"),
    "shift twice": Planted(("flip test",), patch=_mirrored_otherwise(_to_the_right)),
    "half precision of heatmaps": Planted(("arithmetic",), patch=_heatmaps(lambda maps: maps.half().float())),
    "bfloat16 inputs": Planted(("arithmetic",), patch=_inputs(lambda _, inputs: inputs.bfloat16().float())),
    "TF32 inputs": Planted(("arithmetic",), patch=_inputs(lambda _, inputs: _tf32(inputs))),
    "quarter offset on x only": Planted(("decoding: ",), patch=_decoded(_whole_along_y)),
    "keypoints floored in the heatmap": Planted(("decoding: ",), patch=_decoded(np.floor)),
    "keypoints floored in the image": Planted(("cut to whole pixels of the image",), patch=_keypoints(np.floor)),
    "counted from 1": Planted(("(+1, +1) px of the image", "counted from 1"), patch=_keypoints(lambda of: of + 1)),
    "OpenPose's order": Planted(("OpenPose's",), patch=_ordered(OPENPOSE)),
    "left and right exchanged": Planted(
        ("left and right",), patch=_ordered((0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15))
    ),
    "box score ignored": Planted(("all box scores are 1", "box scores"), patch=_people(_unscored)),
    "score mode bbox": Planted(("score_mode",), _evaluator("score_mode='bbox'")),
    "score mode keypoint": Planted(("score_mode",), _evaluator("score_mode='keypoint'")),
    "score mode keypoint, not on record": Planted(("score mode",), patch=_scored_so(score_mode="keypoint")),
    "box threshold 0.3": Planted(
        ("score_threshold", "threshold"), "test_dataloader = dict(dataset=dict(filter_cfg=dict(bbox_score_thr=0.3)))"
    ),
    "half of the images": Planted(("images of the baseline are not evaluated",), patch=_people(_half)),
    "one image left out": Planted(("1 image of the baseline",), patch=_people(_without_one_image)),
    "one image black": Planted(("image content",), data=_black(slice(3, 4))),
    "all images black": Planted(("image content",), data=_black(slice(None))),
    "predictions twice": Planted(("predicted twice",), patch=_people(_twice)),
    "NMS by box area": Planted(
        ("areas are those of the boxes", "area for NMS"), patch=_predictions(_with_areas_of_boxes)
    ),
    "NMS threshold 0.5": Planted(("nms_threshold",), _evaluator("nms_thr=0.5")),
    "NMS threshold 0.5, not on record": Planted(("NMS",), patch=_scored_so(nms_threshold=0.5)),
    "keypoint threshold 0.5": Planted(("keypoint_score_threshold",), _evaluator("keypoint_score_thr=0.5")),
    "area rule": Planted(("scoring.area", "area rule"), _evaluator("use_area=False")),
    "area rule, not on record": Planted(("area rule",), patch=_scored_so(area="box")),
    "only visible keypoints annotated": Planted(("ground truth",), data=_annotations(_only_visible)),
    "iscrowd lost": Planted(("ground truth",), data=_annotations(_no_crowd)),
    "area lost": Planted(("ground truth",), data=_annotations(_area_of_box)),
    "wrong checkpoint": Planted(("weights",), weights=_reset_a_layer),
    "0.1 % noise on weights": Planted(("weights",), weights=_noisy),
    "nearest": Planted(("nearest",), patch=_cut(("resampling", "nearest"))),
    "Pillow's resizing": Planted(("Pillow",), patch=_cut(("resampling", "Pillow's"))),
    "OpenCV 5's warp": Planted(("OpenCV 5",), patch=_cut(("resampling", "bilinear of OpenCV 5"))),
    "crops half a pixel off": Planted(("crop geometry",), patch=_moved_crop(0.5, 0.5)),
    "boxes one pixel smaller": Planted(("(+0, +0, -1, -1)",), patch=_boxes(lambda boxes: boxes - [0, 0, 1, 1])),
    "mapped back by W - 1": Planted(
        ("map back to the image",), patch=_decoded(lambda points: points * HEATMAP / (HEATMAP - 1))
    ),
    "half a pixel of the heatmap added": Planted(
        ("map back to the image", "decoding"), patch=_decoded(lambda of: of + 0.5)
    ),
    "EXIF ignored": Planted(("image content",), patch=_read(_some_turned)),
}
"""The faults of the table."""

UNLISTED: dict[str, Planted] = {
    "boxes rounded": Planted(("boxes are rounded",), patch=_boxes(np.rint)),
    "width and height as corners": Planted(
        ("taken as corners", "boxes: "),
        patch=_boxes(
            lambda boxes: np.hstack([boxes[:, :2], np.maximum(boxes[:, 2:] - boxes[:, :2], boxes[:, :2] + 1)])
        ),
    ),
    "boxes a tenth larger": Planted(
        ("times as wide",),
        patch=_boxes(lambda boxes: boxes + 0.05 * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]),
    ),
    "crops two pixels to the right": Planted(("crop geometry",), patch=_moved_crop(2.0, 0.0)),
    "crops larger than mapped back": Planted(
        ("crop geometry",), patch=lambda patched: patched.setattr(crops, "warp_affine", _larger_crop)
    ),
    "keypoints clipped to the right third": Planted(
        ("decoding", "map back"), patch=_decoded(lambda of: np.minimum(of, 20))
    ),
    "heatmaps blurred": Planted(
        ("decoding", "flip test", "arithmetic"),
        patch=_heatmaps(lambda maps: functional.avg_pool2d(maps, 3, 1, 1)),
    ),
    "keypoint scores squared": Planted(
        ("scores of", "decoding"),
        patch=_predictions(lambda made: replace(made, keypoint_scores=made.keypoint_scores**2)),
    ),
    "sigmas halved, not on record": Planted(("scoring",), patch=_scored_so(sigmas=(0.04,) * 17)),
    "mirrored heatmaps not mirrored back": Planted(
        ("flip test",), patch=_mirrored_otherwise(lambda maps: maps.flip(-1))
    ),
    "no flip test after the first batch": Planted(("flip test",), patch=_without_flip_test(1)),
    "no flip test, same weights saved again": Planted(
        ("flip test",), patch=_without_flip_test(0), weights=lambda state: None
    ),
    "last batch has the results of the batch before": Planted(
        ("poses of other people",), patch=_predictions(_last_batch_stale)
    ),
    "poses exchanged within images": Planted(("poses of other people",), patch=_predictions(_exchanged)),
    "poses under the ids of other images": Planted(("in other images",), patch=_predictions(_in_the_next_image)),
    "small boxes left out": Planted(
        ("are left out",), patch=_people(lambda people: people.take(people.sizes.prod(axis=1) >= 3072))
    ),
    "images compressed": Planted(("image content",), patch=_read(_compressed)),
    "grey images": Planted(("image content", "normalisation"), patch=_read(_grey)),
    "heatmaps blurred by an even kernel": Planted(
        ("decoding", "flip test", "arithmetic"),
        patch=_heatmaps(lambda maps: functional.avg_pool2d(functional.pad(maps, (1, 0, 1, 0)), 2, 1)),
    ),
    "keypoints rounded to tenths": Planted(("map back to the image",), patch=_keypoints(lambda of: np.round(of, 1))),
    "NMS threshold 0.95 on record, sigmas 0.05 in code": Planted(
        ("other code has scored",),
        config="test_evaluator = dict(nms_thr=0.95)",
        patch=_scored_so(sigmas=(0.05,) * 17),
    ),
}
"""Faults that are not among the settings that `explain` tries."""


def _shuffled(people: People) -> People:
    return people.take(np.random.default_rng(0).permutation(len(people)))


HARMLESS: dict[str, Planted] = {"order of people": Planted((), patch=_people(_shuffled))}
"""Changes that are not faults."""
