"""Known causes of small errors, each introduced on purpose; the comparison with MMPose must detect them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import compare, near_truth_network

from harness.arrays import Float32
from harness.datasets.people import People
from harness.datasets.people.coco import annotated_people
from harness.errors import RunError
from harness.protocol import Decoder, Protocol, Size
from harness.run.plan import Plan, Settings
from harness.suites.ledger import read_protocol

COCO_SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087)


def updated(part: str, **fields: Any) -> Callable[[Protocol], Protocol]:
    """Return a function that replaces fields of a part of the protocol."""
    return lambda protocol: protocol.model_copy(update={part: getattr(protocol, part).model_copy(update=fields)})


def unmirrored(protocol: Protocol) -> Protocol:
    return protocol.model_copy(update={"flip_indices": tuple(range(protocol.num_keypoints))})


PROTOCOL_TRAPS = {
    "COCO's sigmas on AIC": ("aic/hrnet-w32-256x192/val", updated("scoring", sigmas=COCO_SIGMAS)),
    "the plain mean of keypoint scores as a pose's": (
        "coco/alexnet-256x192/val",
        updated("scoring", score_mode="keypoint"),
    ),
    "a keypoint threshold of 0": ("coco/alexnet-256x192/val", updated("scoring", keypoint_score_threshold=0.0)),
    "a UDP flip test with shifted heatmaps": ("coco/cspnext-tiny-256x192/val", updated("flip", shift=True)),
    "a Megvii flip test with shifted heatmaps": ("coco/mspn-1stg-256x192/val", updated("flip", shift=True)),
    "an MSRA flip test without": ("coco/litehrnet-18-256x192/val", updated("flip", shift=False)),
    "no flip test": ("crowdpose/resnet-50-256x192/val", updated("flip", enabled=False)),
    "left and right not swapped back": ("mpii/litehrnet-18-256x256/val", unmirrored),
    "DARK left out": ("coco/resnet-101-dark-256x192/val", updated("decoder", codec="msra")),
    "the UDP codec with the UDP affine on CrowdPose": (
        "crowdpose/cspnext-m-256x192/val",
        updated("crop", affine="udp"),
    ),
    "the plain affine on Human-Art": ("humanart/vitpose-s-256x192/val", updated("crop", affine="plain")),
    "no padding": ("posetrack18/resnet-50-256x192/val", updated("crop", padding=1.0)),
}


@pytest.mark.parametrize("trap", PROTOCOL_TRAPS)
def test_protocol(trap: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run, change = PROTOCOL_TRAPS[trap]
    monkeypatch.setattr("harness.run.plan.read_protocol", lambda *given: change(read_protocol(*given)))
    assert differs(run, settings)


def one_stride(decoder: Decoder, input_size: Size) -> Float32:
    stride = input_size[0] / decoder.map_size[0]
    return np.array([stride, stride], np.float32)


def first_stage(network: Any, crops: Any) -> Any:
    heatmaps = network.head(network.extract_feat(crops))
    return heatmaps[0] if isinstance(heatmaps, list) else heatmaps


def zero_based(annotations: Path, images: Path, *, one_based: bool) -> People:
    assert one_based
    return annotated_people(annotations, images, one_based=False)


CODE_TRAPS = {
    "JHMDB's pixels counted from 0": (
        "jhmdb/resnet-50-256x256/sub1",
        "harness.datasets.coco_style.annotated_people",
        zero_based,
    ),
    "MPII's centres not lowered": ("mpii/litehrnet-18-256x256/val", "harness.datasets.people.mpii.FOOT_ROOM", 0),
    "one stride for AlexNet": ("coco/alexnet-256x192/val", "harness.codecs.msra.strides", one_stride),
    "the first stage in place of the last": (
        "mpii/cpm-368x368/val",
        "harness.predict.forward.forward_head",
        first_stage,
    ),
    "Megvii's scores up to 255": ("coco/mspn-1stg-256x192/val", "harness.codecs.megvii.PEAK", np.float32(1)),
}


@pytest.mark.parametrize("trap", CODE_TRAPS)
def test_code(trap: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run, place, wrong = CODE_TRAPS[trap]
    monkeypatch.setattr(place, wrong)
    assert differs(run, settings)


def test_areas_on_crowdpose(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The official file has no areas; with a file that has some, `use_area=False` must still take the box's."""
    data = tmp_path / "data"
    shutil.copytree(settings.data / "crowdpose", data / "crowdpose")
    path = data / "crowdpose/annotations/mmpose_crowdpose_test.json"
    path.chmod(0o644)
    document = json.loads(path.read_text())
    for person in document["annotations"]:
        person["area"] = 0.1 * person["bbox"][2] * person["bbox"][3]
    path.write_text(json.dumps(document))
    with_areas = replace(settings, data=data)
    run = "crowdpose/resnet-50-256x192/val"
    assert not differs(run, with_areas)

    dropped = updated("scoring", area="annotation")
    monkeypatch.setattr("harness.run.plan.read_protocol", lambda *given: dropped(read_protocol(*given)))
    assert differs(run, with_areas)


def differs(run: str, settings: Settings) -> bool:
    """Compare the engines on poses near the ground truth."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Plan, "network", near_truth_network)
        try:
            return not compare(run, settings).equal
        except RunError as error:  # not even the same people and boxes
            return "the engines differ in" in str(error)
