"""External whole-body results: COCO-WholeBody's five fields, or all keypoints in one list."""

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.assets.dataset import data_file
from harness.errors import ObtainError
from harness.metrics.families.wholebody import PLUGIN, WholeBodyScoring
from harness.metrics.families.wholebody.score import COLUMNS
from harness.metrics.foreign import ForeignFile, ForeignOutcome, ForeignProtocol
from harness.openmmlab import xtcocotools_ext
from harness.openmmlab.stand_ins import install_stand_ins

from . import cases, upstream
from .wholebody_cases import COCO_WHOLEBODY, FIELDS, annotations, joined

install_stand_ins()
from xtcocotools.coco import COCO  # noqa: E402
from xtcocotools.cocoeval import COCOeval  # noqa: E402

SCORES = {"foot": "foot_score", "face": "face_score", "lefthand": "lefthand_score", "righthand": "righthand_score"}


def score(folder: Path, document: Any, entries: Any, **options: Any) -> ForeignOutcome:
    path = upstream.write(folder / "results.json", entries)
    upstream.write(folder / "gt.json", document)
    protocol = ForeignProtocol(
        dataset="CocoWholeBodyDataset",
        annotations=data_file(folder, "gt.json", "annotations"),
        num_keypoints=133,
        one_based=False,
        scoring=PLUGIN.foreign_scoring(COCO_WHOLEBODY, options),
    )
    return PLUGIN.score_foreign(ForeignFile[WholeBodyScoring](path, protocol, folder, None))


def split(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of 133 keypoints in COCO-WholeBody's form."""
    found, start = dict(entry), 0
    for field, count in FIELDS.items():
        found[field] = entry["keypoints"][start : start + 3 * count]
        start += 3 * count
    return found


def evaluate(annotations: Path, results: Path) -> dict[str, tuple[float, float]]:
    """Return AP and AR by part, of COCOeval."""
    if xtcocotools_ext.install() == "stand-in":
        pytest.skip("xtcocotools is not installed")
    found = {}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
        truth = COCO(str(annotations))
        poses = truth.loadRes(str(results))
        for part, columns in COLUMNS.items():
            kind = f"keypoints_{'wholebody' if part == 'whole' else part}"
            sigmas = np.array(COCO_WHOLEBODY.sigmas[columns], np.float32)
            evaluation = COCOeval(truth, poses, kind, sigmas, True)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            found[part] = (evaluation.stats[0], evaluation.stats[5])
    return found


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), boxes=st.booleans(), own_scores=st.booleans())
def test_as_they_are(tmp_path_factory: pytest.TempPathFactory, seed: int, boxes: bool, own_scores: bool) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("foreign")
    document = annotations(rng)
    entries = [split(entry) for entry in cases.poses(rng, joined(document), 133, most=8)]
    if not entries:
        return
    for entry in entries:
        if not boxes:
            del entry["bbox"]
        for part, field in SCORES.items():
            if own_scores and part != "foot":
                entry[field] = float(rng.random())
    ours = score(folder, document, entries).metrics
    for part, (ap, ar) in evaluate(folder / "gt.json", folder / "results.json").items():
        for mean, value in (("AP", ap), ("AR", ar)):
            assert ours[f"{mean}({part})"] == (None if value == -1 else value), part


def case() -> tuple[Any, list[dict[str, Any]]]:
    rng = np.random.default_rng(5)
    document = annotations(rng)
    return document, cases.poses(rng, joined(document), 133, most=5)


def test_one_list_or_five(tmp_path: Path) -> None:
    document, entries = case()
    in_one = score(tmp_path, document, entries)
    assert in_one == score(tmp_path, document, [split(entry) for entry in entries])
    assert in_one.metrics["AP(whole)"]
    assert in_one.coverage is not None
    rescored = score(tmp_path, document, [split(entry) for entry in entries], score_mode="bbox_keypoint", nms="oks")
    assert rescored.metrics != in_one.metrics
    # MMPose drops the scores of parts, so it does not use them.
    own = [split(entry) | {"face_score": 0.5} for entry in entries]
    assert score(tmp_path, document, own, score_mode="bbox_keypoint", nms="oks") == rescored
    assert score(tmp_path, document, own).metrics["AP(face)"] != in_one.metrics["AP(face)"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"foot_kpts": None}, r"results\.json: entry 1 has no 'foot_kpts'\n.*write x, y, score of the 17 body"),
        ({"foot_kpts": [0] * 17}, r"'foot_kpts' of entry 1 must be 18 numbers, not 17 values"),
        ({"keypoints": [0] * 399}, r"'keypoints' of entry 1 must be 51 numbers, not 399 values"),
        ({"face_kpts": "none"}, r"'face_kpts' of entry 1 must be 204 numbers, not 'none'"),
        ({"face_kpts": ["1"] * 204}, r"'face_kpts' of entry 1 must be 204 numbers, not \['1', "),
        ({"face_kpts": [True] * 204}, r"'face_kpts' of entry 1 must be 204 numbers, not \[True, "),
        ({"face_score": "high"}, r"'face_score' of entry 1 must be a finite number, not 'high'"),
        ({"face_score": float("nan")}, r"'face_score' of entry 1 must be a finite number"),
        ({"image_id": 5000}, r"poses in 1 image that .*gt\.json does not have, such as 5000"),
        ({"score": None}, r"entry 1 has no 'score'"),
    ],
)
def test_broken_entries(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    document, entries = case()
    found = [split(entry) for entry in entries]
    for field, value in change.items():
        if value is None:
            del found[1][field]
        else:
            found[1][field] = value
    with pytest.raises(ObtainError, match=message):
        score(tmp_path, document, json.loads(json.dumps(found)))


def test_body_alone(tmp_path: Path) -> None:
    document, entries = case()
    body = [entry | {"keypoints": entry["keypoints"][:51]} for entry in entries]
    with pytest.raises(ObtainError, match=r"entry 0 has no 'foot_kpts'"):
        score(tmp_path, document, body)
