"""Facts that a run's predictions show, on the miniature's people with keypoints on the grid of MSRA's decoder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness.assets.dataset import data_file
from harness.datasets.people import load_people
from harness.judge.moved_keypoints import crop_regions_of
from harness.metrics.families.jhmdb_pck import PLUGIN as JHMDB
from harness.metrics.families.jhmdb_pck.scoring import JhmdbScoring
from harness.predict.crops import crop_regions
from harness.predict.networks import normalise
from harness.predict.sources.mmpose import PLUGIN as MMPOSE
from harness.predictions import Predictions
from harness.protocol import Compute, Protocol
from harness.run.evidence import _of_boxes, evidence
from harness.suites.configs import load_config
from harness.suites.ledger import read_protocol
from harness.suites.load import load_suite

SUITE = load_suite("coco")
ROW = next(row for row in SUITE.rows if row.id == "hrnet-w32-256x192")
Made = tuple[Predictions, Protocol]
HEATMAP = np.array([48, 64])


@pytest.fixture(scope="module")
def right(samples: Path) -> Made:
    """Return predictions for the miniature's detections; each keypoint is a quarter of a heatmap pixel off a pixel."""
    config = load_config(SUITE, ROW, ROW.runs["val"])
    compute = Compute(engine="shared", batch_size=64, device="cpu")
    protocol = read_protocol(config, lambda path, what: data_file(samples, path, what), None, compute)
    assert protocol.boxes.file
    people = load_people(
        protocol.dataset,
        samples / protocol.annotations.path,
        samples,
        samples / protocol.boxes.file.path,
        protocol.boxes.score_threshold,
    )
    rng = np.random.default_rng(0)
    made = Predictions(
        person_ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        box_scores=people.scores,
        crop_areas=crop_regions(people, protocol.crop).sizes.prod(axis=1),
        keypoints=np.zeros((len(people), 17, 2)),
        keypoint_scores=rng.uniform(0, 1, (len(people), 17)).astype(np.float32),
    )
    places = rng.integers(1, HEATMAP - 1, (len(people), 17, 2)) + rng.choice([-0.25, 0.25], (len(people), 17, 2))
    return replace(made, keypoints=to_image(made, protocol, places)), protocol


def to_image(made: Predictions, protocol: Protocol, places: Any) -> Any:
    corners, sizes = crop_regions_of(made, protocol)
    return corners + places / HEATMAP * sizes


def in_heatmap(made: Predictions, protocol: Protocol, function: Callable[[Any], Any]) -> Predictions:
    corners, sizes = crop_regions_of(made, protocol)
    return replace(made, keypoints=to_image(made, protocol, function((made.keypoints - corners) / sizes * HEATMAP)))


def test_nothing_is_odd_about_a_right_run(right: Made, samples: Path) -> None:
    assert evidence(*right, samples) == []
    order = np.random.default_rng(1).permutation(len(right[0]))
    assert evidence(right[0].where(order), right[1], samples) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda of, _: replace(of, boxes=of.boxes - np.array([0, 0, 1, 1], np.float32)),
            "the boxes are (+0, +0, -1, -1)",
        ),
        (lambda of, _: of.where(np.arange(len(of)) > 2), "3 of the data set's"),
        (lambda of, _: of.where(np.r_[np.arange(len(of)), :4]), "4 predictions are repeated: their people have"),
        (lambda of, _: replace(of, person_ids=of.person_ids + 10**6), "predictions are of people who are not in"),
        (lambda of, _: replace(of, box_scores=np.ones_like(of.box_scores)), "the box scores of"),
        (
            lambda of, _: replace(of, crop_areas=(of.boxes[:, 2:] - of.boxes[:, :2]).prod(axis=1)),
            "the areas of the boxes: without padding and aspect ratio",
        ),
        (
            lambda of, _: replace(of, crop_areas=of.crop_areas * np.float32((1.1 / 1.25) ** 2)),
            "a padding of 1.1, not 1.25",
        ),
        (lambda of, _: replace(of, keypoints=np.rint(of.keypoints)), "the keypoints are whole pixels of the image"),
        (lambda of, _: replace(of, keypoints=of.keypoints + 1), "the keypoints are +1 px of the image off"),
        (lambda of, protocol: in_heatmap(of, protocol, lambda at: at + 0.125), "+0.5 px of the crop off"),
        (
            lambda of, protocol: in_heatmap(of, protocol, lambda at: np.stack([np.rint(at[..., 0]), at[..., 1]], -1)),
            "on whole pixels of the heatmap along x: the decoder took no quarter step",
        ),
        (
            lambda of, protocol: in_heatmap(of, protocol, lambda at: at * 1.013),
            "the keypoints are not where MSRA's decoder places them",
        ),
    ],
)
def test_what_is_odd_is_seen(
    right: Made, samples: Path, change: Callable[[Predictions, Protocol], Predictions], words: str
) -> None:
    assert any(words in one for one in evidence(change(*right), right[1], samples))


def test_a_few_other_boxes_are_not_all_moved_by_zero() -> None:
    expected = np.random.default_rng(0).uniform(0, 100, (400, 4))
    few = expected.copy()
    few[:4] += [[-3], [5], [7], [9]]
    assert list(_of_boxes(few, expected)) == [
        "the boxes of 4 of 400 people are not those of the data set, by up to 9 px"
    ]


def test_people_whose_crop_has_no_size_are_on_no_grid(right: Made, samples: Path) -> None:
    made, protocol = right
    boxes, keypoints = made.boxes.copy(), made.keypoints.copy()
    boxes[::2], keypoints[::2] = 10, 10
    odd = evidence(replace(made, boxes=boxes, keypoints=keypoints), protocol, samples)
    assert [one for one in odd if "keypoints" in one] == []


def test_finer_decoders_are_told_from_quarters(right: Made, samples: Path) -> None:
    made, protocol = right
    dark = protocol.model_copy(update={"decoder": protocol.decoder.model_copy(update={"codec": "dark"})})
    (text,) = evidence(made, dark, samples)
    assert text == "the keypoints are where MSRA's decoder places them, not dark's"
    fine = in_heatmap(made, dark, lambda at: at + np.random.default_rng(0).uniform(-0.5, 0.5, at.shape))
    assert evidence(fine, dark, samples) == []


def test_data_that_are_not_there_are_said(right: Made, tmp_path: Path) -> None:
    (text,) = evidence(*right, tmp_path)
    assert text.startswith("the boxes are not compared with those of the data set: ")


def test_thresholds_of_pck_that_are_tried() -> None:
    tried = list(JHMDB.alternatives(JhmdbScoring(threshold=0.05), "jhmdb", {}))
    assert [(one.tried, one.fields, one.usual) for one in tried] == [
        ("0.1", {"threshold": 0.1}, False),
        ("0.2", {"threshold": 0.2}, True),
        ("0.5", {"threshold": 0.5}, False),
    ]


def test_inputs_that_are_tried() -> None:
    """Each mean and std gives another input for the same pixels, different from that of the run."""
    config = load_config(SUITE, ROW, ROW.runs["val"])
    crops = torch.arange(256, dtype=torch.uint8)[:252].reshape(1, 12, 7, 3)

    def inputs(other: Any) -> Any:
        preprocessor = other.model.data_preprocessor
        shaped = {name: torch.tensor(preprocessor[name]).view(-1, 1, 1) for name in ("mean", "std")}
        pixels = SimpleNamespace(_channel_conversion=preprocessor.bgr_to_rgb, **shaped)
        network = SimpleNamespace(data_preprocessor=pixels)
        return normalise(network, crops)

    own = inputs(config)
    tried = {one.tried: inputs(one.config) for one in MMPOSE.alternatives(config)}
    assert len(tried) == 8
    assert all(not torch.allclose(own, other) for other in tried.values())
    assert torch.allclose(tried["0 and 1, of 0..1"], crops.permute(0, 3, 1, 2).flip(1) / 255)
    assert torch.allclose(
        tried["0.5 and 0.5, of 0..1"], (crops.permute(0, 3, 1, 2).flip(1) / 255 - 0.5) / 0.5, atol=1e-6
    )
    mean, std = (torch.tensor(config.model.data_preprocessor[name]).view(-1, 1, 1) for name in ("mean", "std"))
    of_ones = (crops.permute(0, 3, 1, 2).flip(1) / 255 - mean) / std
    assert torch.allclose(tried["of 0..255, pixels of 0..1"], of_ones, atol=1e-5)
