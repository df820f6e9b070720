"""Known mistakes with the further data sets, made on purpose: the comparison with MMPose must detect each of them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_traps import differs, updated

from harness.arrays import Floating
from harness.datasets.classes.coco_wholebody import Hands
from harness.datasets.labelled import LabelledPeople
from harness.datasets.people.wholebody import Parts, hands
from harness.datasets.wholebody_file import WholeBodyFile
from harness.metrics.families.nme.score import NmeMatched
from harness.metrics.families.pck import score as pck
from harness.metrics.families.wholebody import score as wholebody
from harness.metrics.match import _read_truth
from harness.metrics.truth import Truth
from harness.protocol import Protocol
from harness.run.plan import Settings, _people_read
from harness.suites.ledger import read_protocol


@pytest.fixture
def zoo(settings: Settings, zoo_samples: Path) -> Settings:
    """Return settings for seeded weights on the samples of the further data sets."""
    return replace(settings, data=zoo_samples)


def exchanged(*pairs: tuple[int, int]) -> Callable[[Protocol], Protocol]:
    """Return a function that exchanges pairs of left and right keypoints in the flip test."""

    def change(protocol: Protocol) -> Protocol:
        indices = list(range(protocol.num_keypoints))
        for left, right in pairs:
            indices[left], indices[right] = right, left
        return protocol.model_copy(update={"flip_indices": tuple(indices)})

    return change


PROTOCOL_TRAPS = {
    "the usual padding around whole images": ("freihand/resnet-50-224x224/val", updated("crop", padding=1.25)),
    "padding on top of the faces' scale left out": ("wflw/hrnetv2-w18-256x256/test", updated("crop", padding=1.0)),
    "fingers of a hand exchanged in the flip test": ("onehand10k/hrnetv2-w18-256x256/val", exchanged((4, 20), (8, 16))),
    "left and right exchanged on 300W-LP": ("300wlp/hrnetv2-w18-256x256/test", exchanged((0, 16), (36, 45))),
    "DARK's usual kernel where a config has 17": (
        "coco-pages/resnet-152-dark-384x288/val",
        updated("decoder", blur_kernel_size=11),
    ),
    "the UDP affine where a config with the UDP codec has the plain one": (
        "onehand10k/hrnetv2-w18-udp-256x256/val",
        updated("crop", affine="udp"),
    ),
    "UDP for a config that is called so and has MSRA's codec": (
        "deepfashion/hrnet-w48-udp-full-256x192/full",
        updated("decoder", codec="udp", blur_kernel_size=11),
    ),
    "PCK by another norm's threshold": ("rhd/resnet-50-256x256/val", updated("scoring", threshold=0.25)),
    "AUC up to 40 px": ("rhd/resnet-50-256x256/val", updated("scoring", auc_norm=40.0)),
    "sigmas of the first keypoints for all 133": (
        "coco-wholebody/hrnet-w32-256x192/val",
        lambda protocol: updated("scoring", sigmas=(protocol.scoring.sigmas[0],) * 133)(protocol),
    ),
}


@pytest.mark.parametrize("trap", PROTOCOL_TRAPS)
def test_protocol(trap: str, zoo: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run, change = PROTOCOL_TRAPS[trap]
    assert not differs(run, zoo)
    monkeypatch.setattr("harness.run.plan.read_protocol", lambda *given: change(read_protocol(*given)))
    assert differs(run, zoo)


def wholly_visible(self: Hands, annotations: Path, num_keypoints: int) -> LabelledPeople:
    """Return hands whose keypoints count from a visibility of 1."""
    labelled = LABELLED_HANDS(self, annotations, num_keypoints)
    parts = self.parts(annotations, READ_WHOLEBODY(annotations))
    return replace(labelled, visible=parts.visible >= 1)


def clipped_hands(path: Path, file: WholeBodyFile) -> Parts:
    """Return hands whose boxes are clipped to the image."""
    parts = hands(path, file)
    widths, heights = (
        column.values[parts.image_rows] for column in (file.coco.images.widths, file.coco.images.heights)
    )
    limits = np.column_stack([widths, heights, widths, heights]) - 1
    return replace(parts, boxes=np.clip(parts.boxes, 0, limits).astype(np.float32))


def own_scores(detections: Any, scoring: Any, truth: Truth, scores: Any = None) -> Any:
    """Match parts of people by the mean score of their own keypoints."""
    means = {part: detections.keypoints[:, columns, 2].mean(axis=1) for part, columns in wholebody.COLUMNS.items()}
    return MATCH_PARTS(detections, scoring, truth, means)


def whole_extents(keypoints: Floating) -> Any:
    """Return the extents of all keypoints, not only of the body's."""
    low, high = keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)
    return np.concatenate([low, high - low], axis=1)


def mean_of_means(self: NmeMatched) -> dict[str, float]:
    """Return the mean over faces of the mean error of each."""
    return {"NME": float(np.nanmean(np.nanmean(self.errors, axis=1)))}


LABELLED_HANDS, MATCH_PARTS, PCK_STATS = Hands.labelled, wholebody.match_parts, pck.pck_stats
READ_WHOLEBODY = Hands.labelled.__globals__["read_wholebody"]

CODE_TRAPS = {
    "PCK over all keypoints together": (
        "onehand10k/resnet-50-256x256/val",
        "harness.metrics.families.pck.score.pck_stats",
        lambda joints, scoring: PCK_STATS(joints.sum(axis=-1, keepdims=True), scoring),
    ),
    "boxes of hands not cut": (
        "onehand10k/resnet-50-256x256/val",
        "harness.datasets.people.coco._clipped_boxes",
        lambda xywh, sizes, one_based: np.column_stack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]).astype(np.float32) + 1,
    ),
    "a score for each part of the body": (
        "coco-wholebody/hrnet-w32-256x192/val",
        "harness.metrics.families.wholebody.score.match_parts",
        own_scores,
    ),
    "the average over all animals": (
        "ap10k/hrnet-w32-256x256/val",
        "harness.metrics.truth._categories",
        lambda _path, _column, rows: np.zeros(len(rows), np.int64),
    ),
}

MINIATURE_TRAPS = {
    "hands cut at the image's edge": (
        "coco-wholebody-hand/resnet-50-256x256/val",
        "harness.datasets.classes.coco_wholebody.hands",
        clipped_hands,
    ),
    "only fully visible keypoints": (
        "coco-wholebody-hand/resnet-50-256x256/val",
        "harness.datasets.classes.coco_wholebody.Hands.labelled",
        wholly_visible,
    ),
}


@pytest.mark.parametrize("trap", CODE_TRAPS)
def test_code(trap: str, zoo: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    notices(*CODE_TRAPS[trap], zoo, monkeypatch)


@pytest.mark.parametrize("trap", MINIATURE_TRAPS)
def test_code_on_the_miniature(trap: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples have no face or hand with unlabelled keypoints, and none at an edge."""
    notices(*MINIATURE_TRAPS[trap], settings, monkeypatch)


def test_mean_of_faces(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Faces of the official files have all keypoints, for which both means are equal."""
    data = tmp_path / "data"
    shutil.copytree(settings.data / "cofw", data / "cofw")
    path = data / "cofw/annotations/cofw_test.json"
    path.chmod(0o644)
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"][60:] = [0] * 27
    path.write_text(json.dumps(document))
    place = "harness.metrics.families.nme.score.NmeMatched.stats"
    notices("cofw/hrnetv2-w18-256x256/val", place, mean_of_means, replace(settings, data=data), monkeypatch)


def notices(run: str, place: str, wrong: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the engines are equal on a run, and differ after a replacement in our code."""
    assert not differs(run, settings)
    monkeypatch.setattr(place, wrong)
    forget()
    assert differs(run, settings)
    forget()


def forget() -> None:
    """Clear the caches of people and ground truth."""
    _read_truth.cache_clear()
    _people_read.clear()
