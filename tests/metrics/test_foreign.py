"""External predictions: every container and every suite, compared with the scorers called directly."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from miniature import coco
from scipy.io import savemat

from harness.assets.dataset import data_file
from harness.datasets.people import load_people
from harness.errors import HarnessError, ObtainError, UsageError
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.metrics.foreign import score_foreign
from harness.metrics.keypoint_arrays import read_keypoints
from harness.metrics.truth import load_truth
from harness.predictions import Predictions
from harness.protocol import Compute, DataFile
from harness.suites.configs import load_config
from harness.suites.ledger import read_protocol
from harness.suites.load import load_suite, suite_names

from . import cases
from .measured import score_jhmdb, score_oks, score_posetrack
from .upstream import write

SHAPE = (5, 16, 2)
KEYPOINTS = np.random.default_rng(0).uniform(0, 500, SHAPE).astype(np.float32)


@pytest.mark.parametrize("name", suite_names())
def test_rows_of_a_suite_are_scored_alike(name: str) -> None:
    """This allows the first row to represent all rows with the same run; NMS and score mode are options."""
    suite = load_suite(name)
    found: dict[str, set[str]] = {}
    first = {run: row for row in reversed(suite.rows) for run in row.runs}
    for row in (row for row in suite.rows if not row.cannot_run):
        for run, spec in row.runs.items():
            if suite.dataset_of(row) != suite.dataset_of(first[run]):
                continue  # as for some rows of the demo, which --run does not reach
            protocol = read_protocol(
                load_config(suite, row, spec),
                lambda path, _: DataFile(path=str(PurePosixPath(path)), sha256=""),
                limit=None,
                compute=Compute(engine="shared", batch_size=1, device="cpu"),
            )
            key = protocol.model_dump(mode="json", include={"dataset", "annotations", "num_keypoints"})
            scoring = protocol.scoring.model_dump(exclude={"nms", "score_mode"})
            found.setdefault(run, set()).add(json.dumps([key, scoring]))
    assert found.keys() == (set() if all(row.cannot_run for row in suite.rows) else first.keys())
    assert {run: len(keys) for run, keys in found.items()} == dict.fromkeys(found, 1)


# Arrays


def hdf5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


def npy(path: Path, values: Any) -> Path:
    np.save(path, values)
    return path


def mat(path: Path, **arrays: Any) -> Path:
    savemat(path, arrays)
    return path


CONTAINERS: dict[str, Callable[[Path, Any], Path]] = {
    "npy": lambda folder, array: npy(folder / "a.npy", array),
    "npy, Fortran order": lambda folder, array: npy(folder / "a.npy", np.asfortranarray(array)),
    "mat 5": lambda folder, array: mat(folder / "a.mat", preds=array, threshold=0.5, name="hourglass"),
    "mat 7.3": lambda folder, array: hdf5(folder / "a.mat", preds=array.T, other=np.zeros((2, 3))),
    "h5": lambda folder, array: hdf5(folder / "a.h5", results__preds=array, heatmaps=np.zeros((5, 16, 8, 8))),
    "json": lambda folder, array: write(folder / "a.json", array.tolist()),
    "json by name": lambda folder, array: write(folder / "A.JSON", {"model": "x", "r": [[1], []], "p": array.tolist()}),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers(tmp_path: Path, container: str) -> None:
    found = read_keypoints(CONTAINERS[container](tmp_path, KEYPOINTS), SHAPE)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, KEYPOINTS)


@pytest.mark.parametrize("save", [mat, hdf5])
def test_one_of_several_arrays(tmp_path: Path, save: Callable[..., Path]) -> None:
    path = tmp_path / ("a.mat" if save is mat else "a.h5")
    save(path, preds=KEYPOINTS, gt=KEYPOINTS + 1)
    with pytest.raises(UsageError, match=rf"{path}: several arrays have the shape \(5, 16, 2\)\n.*--array: (gt|preds)"):
        read_keypoints(path, SHAPE)
    np.testing.assert_array_equal(read_keypoints(path, SHAPE, "gt"), KEYPOINTS + 1)
    with pytest.raises(UsageError, match=rf"{path} has no array 'poses'\n  found: .*preds \(5, 16, 2\)"):
        read_keypoints(path, SHAPE, "poses")


def damaged(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


def claimed(path: Path, shape: tuple[int, ...]) -> Path:
    """Write the header of an array without its values."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
    return path


WRONG = r"expected numbers of shape \(5, 16, 2\) \(annotated people, keypoints, x and y\), found "
BROKEN: dict[str, tuple[Callable[[Path], Path], type[HarnessError], str]] = {
    "people": (lambda d: npy(d / "a.npy", KEYPOINTS[:4]), ObtainError, WRONG + r"\(4, 16, 2\)"),
    "keypoints": (lambda d: write(d / "a.json", KEYPOINTS[:, :15].tolist()), ObtainError, WRONG + r"\(5, 15, 2\)"),
    "with scores": (lambda d: mat(d / "a.mat", p=np.zeros((5, 16, 3))), ObtainError, WRONG + r"p \(5, 16, 3\)"),
    "nothing": (lambda d: hdf5(d / "a.h5"), ObtainError, WRONG + "no array"),
    "reversed": (lambda d: hdf5(d / "a.mat", p=KEYPOINTS), ObtainError, WRONG + r"p \(2, 16, 5\)"),
    "ragged": (lambda d: write(d / "a.json", [*KEYPOINTS[:4].tolist(), [[0, 0]]]), ObtainError, WRONG),
    "text": (lambda d: npy(d / "a.npy", KEYPOINTS.astype(str)), ObtainError, WRONG + r"\(5, 16, 2\) of text"),
    "NaN": (
        lambda d: npy(d / "a.npy", np.where(np.arange(160).reshape(SHAPE) == 98, np.nan, KEYPOINTS)),
        ObtainError,
        r"a\.npy: keypoints of 1 person are not finite, the first is number 3",
    ),
    "text in JSON": (
        lambda d: write(d / "a.json", KEYPOINTS.astype(str).tolist()),
        ObtainError,
        WRONG + r"\(5, 16, 2\) of text",
    ),
    "one text in JSON": (
        lambda d: write(d / "a.json", [*KEYPOINTS[:4].tolist(), [[None, "1"]] * 16]),
        ObtainError,
        WRONG + r"\(5, 16, 2\) of text",
    ),
    "one boolean in JSON": (
        lambda d: write(d / "a.json", [*KEYPOINTS[:4].tolist(), [[1.5, True]] * 16]),
        ObtainError,
        WRONG + r"\(5, 16, 2\) of bool",
    ),
    "booleans in JSON": (
        lambda d: write(d / "a.json", (KEYPOINTS > 0).tolist()),
        ObtainError,
        WRONG + r"\(5, 16, 2\) of bool",
    ),
    "huge npy": (lambda d: claimed(d / "a.npy", (10**12, 16, 2)), ObtainError, r"cannot be read: .*a\.npy"),
    "huge number": (lambda d: write(d / "a.json", [[[10**400, 0]] * 16] * 5), ObtainError, WRONG),
    "too large": (
        lambda d: npy(d / "a.npy", KEYPOINTS * 1e20),
        ObtainError,
        r"of 5 people are too large \(the limit is 1e\+15\)",
    ),
    "too large and infinite": (
        lambda d: npy(d / "a.npy", np.where(np.arange(160).reshape(SHAPE) == 98, np.inf, KEYPOINTS * 1e20)),
        ObtainError,
        r"of 5 people are not finite or too large",
    ),
    "complex": (lambda d: npy(d / "a.npy", KEYPOINTS + 0j), ObtainError, WRONG + r"\(5, 16, 2\) of complex64"),
    "bool": (lambda d: npy(d / "a.npy", KEYPOINTS > 0), ObtainError, WRONG + r"\(5, 16, 2\) of bool"),
    "times": (
        lambda d: npy(d / "a.npy", KEYPOINTS.astype("datetime64[s]")),
        ObtainError,
        WRONG + r"\(5, 16, 2\) of datetime64\[s\]",
    ),
    "null": (lambda d: write(d / "a.json", [[[None, 0]] * 16] * 5), ObtainError, "of 5 people are not finite"),
    "pickle": (
        lambda d: npy(d / "a.npy", np.full(SHAPE, None)),
        ObtainError,
        r"a\.npy: Array can't be memory-mapped: Python objects",
    ),
    "cut npy": (lambda d: damaged(npy(d / "a.npy", KEYPOINTS)), ObtainError, r"cannot be read: .*a\.npy"),
    "cut mat": (lambda d: damaged(mat(d / "a.mat", p=KEYPOINTS)), ObtainError, r"cannot be read: .*a\.mat"),
    "cut h5": (lambda d: damaged(hdf5(d / "a.h5", p=KEYPOINTS)), ObtainError, r"cannot be read: .*a\.h5"),
    "no h5": (lambda d: write(d / "a.h5", []), ObtainError, r"cannot be read: .*a\.h5"),
    "no mat": (lambda d: write(d / "a.mat", []), ObtainError, r"cannot be read: .*a\.mat"),
    "missing": (lambda d: d / "a.json", ObtainError, r"the keypoint file is missing: .*a\.json"),
    "extension": (lambda d: write(d / "a.pkl", []), UsageError, r"a\.pkl: .* \.npy, \.mat, \.h5, \.json, not '\.pkl'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_arrays(tmp_path: Path, case: str) -> None:
    make, kind, message = BROKEN[case]
    with pytest.raises(kind, match=message):
        read_keypoints(make(tmp_path), SHAPE)


# JHMDB


def jhmdb_predictions(folder: Path, spread: float) -> tuple[Predictions, Path]:
    annotations = folder / "jhmdb" / "annotations" / "Sub1_test.json"
    people = load_people("JhmdbDataset", annotations, folder, None, None)
    document = json.loads(annotations.read_text())
    keypoints = {p["id"]: np.array(p["keypoints"]).reshape(-1, 3)[:, :2] - 1 for p in document["annotations"]}
    truth = np.array([keypoints[person] for person in people.ids.tolist()])
    found = truth + np.random.default_rng(0).normal(0, spread, truth.shape)
    return Predictions(
        person_ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        box_scores=people.scores,
        crop_areas=people.scores,
        keypoints=found,
        keypoint_scores=np.ones(found.shape[:2], np.float32),
    ), annotations


@pytest.mark.parametrize("spread", [0, 15])
def test_jhmdb(samples: Path, tmp_path: Path, spread: float) -> None:
    predictions, annotations = jhmdb_predictions(samples, spread)
    direct = score_jhmdb(predictions, JhmdbScoring(threshold=0.2), load_truth(annotations, 15))
    suite = load_suite("jhmdb")
    zero = score_foreign(suite, npy(tmp_path / "0.npy", predictions.keypoints), samples, run="sub1")
    one = score_foreign(suite, npy(tmp_path / "1.npy", predictions.keypoints + 1), samples, run="sub1", one_based=True)
    assert zero.metrics == one.metrics == direct
    assert (direct["PCK(person)"] == 1) == (spread == 0)
    assert (zero.protocol.one_based, one.protocol.one_based) == (False, True)
    assert zero.protocol.annotations == data_file(samples, "jhmdb/annotations/Sub1_test.json", "")


def test_jhmdb_rows_are_in_the_order_of_the_annotations(samples: Path, tmp_path: Path) -> None:
    document = json.loads((samples / "jhmdb" / "annotations" / "Sub1_test.json").read_text())
    document["annotations"] = [document["annotations"][index] for index in (2, 0, 1)]
    folder = tmp_path / "jhmdb" / "annotations"
    folder.mkdir(parents=True)
    annotations = write(folder / "Sub2_test.json", document)
    labelled = [np.array(person["keypoints"]).reshape(15, 3)[:, :2] for person in document["annotations"]]
    found = npy(tmp_path / "a.npy", np.array(labelled))
    score = score_foreign(load_suite("jhmdb"), found, tmp_path, run="sub2", one_based=True)
    assert score.metrics["PCK(person)"] == score.metrics["PCK(torso)"] == 1
    # A person without keypoints is not evaluated, but has a row.
    document["annotations"][1]["keypoints"] = [1, 1, 0] * 15
    write(annotations, document)
    assert score_foreign(load_suite("jhmdb"), found, tmp_path, run="sub2", one_based=True).metrics["PCK(person)"] == 1


# PoseTrack18


def write_sequences(folder: Path, val: Path, predictions: Predictions) -> Path:
    """Write predictions in the official format; scores are separate from the keypoints, whose third number is 1."""
    folder.mkdir()
    for path in val.glob("*.json"):
        document = json.loads(path.read_text())
        frames = {image["id"] for image in document["images"]}
        document["annotations"] = [
            {
                "image_id": image,
                "track_id": 0,
                "keypoints": np.column_stack([points, np.ones(17)]).ravel().tolist(),
                "scores": scores.tolist(),
                "score": score,
            }
            for image, points, scores, score in zip(
                predictions.image_ids.tolist(),
                predictions.keypoints,
                predictions.keypoint_scores,
                predictions.box_scores.tolist(),
                strict=True,
            )
            if image in frames
        ]
        write(folder / path.name, document)
    return folder


def posetrack_predictions(val: Path, spread: float) -> Predictions:
    """Return the annotated people, some of them duplicated, in the order of the files."""
    rng = np.random.default_rng(1)
    people = [person for path in sorted(val.glob("*.json")) for person in json.loads(path.read_text())["annotations"]]
    people = [person for person in people for _ in range(1 if spread == 0 else 2)]
    keypoints = np.array([person["keypoints"] for person in people]).reshape(-1, 17, 3)
    scores = rng.uniform(0.1, 1, keypoints.shape[:2]).astype(np.float32)
    points = (keypoints[..., :2] + rng.normal(0, spread, (len(people), 17, 2))) * (keypoints[..., 2:] > 0)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1).astype(np.float32)
    return Predictions(
        person_ids=np.arange(len(people)),
        image_ids=np.array([person["image_id"] for person in people]),
        boxes=boxes,
        box_scores=rng.uniform(0.1, 1, len(people)).astype(np.float32),
        crop_areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        keypoints=points,
        keypoint_scores=scores * (keypoints[..., 2] > 0).astype(np.float32),
    )


@pytest.mark.parametrize("spread", [0, 8])
def test_posetrack(samples: Path, tmp_path: Path, spread: float) -> None:
    val = samples / "posetrack18" / "annotations" / "val"
    predictions, truth = posetrack_predictions(val, spread), load_posetrack(val)
    folder, suite = write_sequences(tmp_path / "found", val, predictions), load_suite("posetrack18")
    scored = score_foreign(suite, folder, samples)
    scoring = scored.protocol.scoring
    assert isinstance(scoring, PoseTrackScoring)
    assert scoring.nms == "none"
    assert scored.metrics == score_posetrack(predictions, scoring, truth)
    assert (scored.metrics["AP"] == 1) == (spread == 0)
    for mode in ("keypoint", "bbox_keypoint", None):
        asked = score_foreign(suite, folder, samples, nms="oks", score_mode=mode)
        scoring = scoring.model_copy(update={"nms": "oks", "score_mode": mode or "bbox"})
        assert asked.protocol.scoring == scoring
        assert asked.metrics == score_posetrack(predictions, scoring, truth)
        assert (asked.metrics != scored.metrics) == (spread != 0)


def change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["annotations"][0].update(fields)


def shuffle_names(document: dict[str, Any]) -> None:
    document["categories"][0]["keypoints"].reverse()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            change(keypoints=[0] * 45),
            r"000303_mpii_test\.json: 'keypoints' of annotation 0 must be 51 numbers, not 45 v",
        ),
        (change(scores=[]), r"000303_mpii_test\.json: 'scores' of annotation 0 must be 17 numbers, not 0 values"),
        (change(scores=None), "'scores' of annotation 0 must be 17 numbers, not None"),
        (change(scores=["high"] * 17), "'scores' of annotation 0 must be 17 numbers"),
        (change(scores=["0.5"] * 17), r"'scores' of annotation 0 must be 17 numbers, not \['0\.5'"),
        (change(scores=[True] * 17), r"'scores' of annotation 0 must be 17 numbers, not \[True"),
        (change(score=True), "'score' of annotation 0 must be a number, not True"),
        (change(score="0.5"), "'score' of annotation 0 must be a number, not '0.5'"),
        (change(keypoints=[float("nan")] * 51), r"'keypoints' of 1 pose is not finite, the first is number 0"),
        (change(score=None), "'score' of annotation 0 must be a number, not None"),
        (change(image_id=7), r"found: poses in 1 image that .*val does not have, such as 7"),
        (shuffle_names, r"its keypoints must be PoseTrack18's 17, in their order, not \['right_ankle', 'left"),
        (lambda document: document["categories"][0].update(keypoints=[5] * 17), r"17, in their order, not \[5, 5"),
        (change(keypoints=[10**400] * 51), "'keypoints' of annotation 0 must be 51 numbers"),
        (lambda document: document.update(images=[]), r"found: 2 frames with people are not among its 'images'"),
        (
            lambda document: document["images"][1].update(id=10**30),
            r"000303_mpii_test\.json: 'id' of image 1 must be a whole number, not 1000000",
        ),
        (lambda document: document["images"][1].update(id=1.5), "'id' of image 1 must be a whole number, not 1.5"),
        (lambda document: document["images"].append(document["images"][0]), "1 frame is listed more than once"),
        (lambda document: document.pop("images"), r"not the predictions of a PoseTrack18 sequence: KeyError\('images'"),
    ],
)
def test_broken_posetrack(samples: Path, tmp_path: Path, damage: Callable[[Any], None], message: str) -> None:
    val = samples / "posetrack18" / "annotations" / "val"
    folder = write_sequences(tmp_path / "found", val, posetrack_predictions(val, 1))
    path = folder / "000303_mpii_test.json"
    document = json.loads(path.read_text())
    damage(document)
    write(path, document)
    with pytest.raises(ObtainError, match=message):
        score_foreign(load_suite("posetrack18"), folder, samples, nms="oks")


def test_posetrack_needs_all_sequences_and_no_unused_scores(samples: Path, tmp_path: Path) -> None:
    val, suite = samples / "posetrack18" / "annotations" / "val", load_suite("posetrack18")
    folder = write_sequences(tmp_path / "found", val, posetrack_predictions(val, 1))
    path = folder / "000303_mpii_test.json"
    with pytest.raises(ObtainError, match=r"test\.json: 2 frames with people are not among its 'images'"):
        score_foreign(suite, path, samples)
    before = score_foreign(suite, folder, samples)
    document = json.loads(path.read_text())
    for person in document["annotations"]:
        del person["score"]
    write(path, document)
    after = score_foreign(suite, folder, samples)
    assert after.metrics == before.metrics
    assert after.sha256 != before.sha256
    score_foreign(suite, folder, samples, nms="oks", score_mode="keypoint")
    with pytest.raises(UsageError, match="--score-mode has no effect here without --nms"):
        score_foreign(suite, folder, samples, score_mode="keypoint")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ObtainError, match=r"predictions cannot be read: .*empty"):
        score_foreign(suite, tmp_path / "empty", samples)


# OKS


def coco_results(predictions: Predictions) -> list[dict[str, Any]]:
    keypoints = np.concatenate([predictions.keypoints, predictions.keypoint_scores[..., None]], axis=-1)
    boxes = predictions.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"image_id": image, "category_id": 1, "keypoints": points.ravel().tolist(), "score": score, "bbox": box}
        for image, points, score, box in zip(
            predictions.image_ids.tolist(), keypoints, predictions.box_scores.tolist(), boxes.tolist(), strict=True
        )
    ]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    mode=st.sampled_from(["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]),
    nms=st.sampled_from(["oks", "soft-oks", "none"]),
    with_boxes=st.booleans(),
)
@example(seed=313226, mode="bbox", nms="none", with_boxes=True)
def test_asked_for_rescoring_and_nms(
    tmp_path_factory: pytest.TempPathFactory, seed: int, mode: Any, nms: Any, with_boxes: bool
) -> None:
    rng, data = np.random.default_rng(seed), tmp_path_factory.mktemp("data")
    document = cases.annotations(rng, 17)
    (data / "coco" / "annotations").mkdir(parents=True)
    annotations = write(data / "coco" / "annotations" / "person_keypoints_val2017.json", document)
    people = cases.predictions(rng, document, 17, np.float64)
    boxes = np.round(4 * people.boxes) / np.float32(4)  # so that widths are exact in single precision
    if not with_boxes:
        boxes = np.concatenate([people.keypoints.min(axis=1), people.keypoints.max(axis=1)], axis=1).astype(np.float32)
    people = Predictions(
        person_ids=np.arange(len(people)),
        image_ids=people.image_ids,
        boxes=boxes,
        box_scores=people.box_scores,
        crop_areas=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        keypoints=people.keypoints,
        keypoint_scores=people.keypoint_scores,
    )
    results = coco_results(people)
    if not with_boxes:
        for entry in results:
            del entry["bbox"]
    scored = score_foreign(load_suite("coco"), write(data / "found.json", results), data, score_mode=mode, nms=nms)
    scoring = scored.protocol.scoring
    assert isinstance(scoring, OksScoring)
    assert (scoring.score_mode, scoring.nms) == (mode, nms)
    truth = load_truth(annotations, 17, areas=True)
    assert scored.metrics == score_oks(people, scoring, truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"keypoints": [0] * 42},
            r"found\.json: 'keypoints' of entry 0 must be 51 numbers, not 42 values\n.* 14 keypoints",
        ),
        (
            {"keypoints": [float("inf")] * 51},
            r"found\.json: 'keypoints' of 1 pose is not finite, the first is number 0",
        ),
        ({"keypoints": [1e300] * 51}, r"'keypoints' of 1 pose is too large \(the limit is 1e\+15\), .*: 1e\+300"),
        ({"score": float("nan")}, r"found\.json: 'score' of 1 pose is not finite"),
        ({"bbox": [0, 0, 1, float("nan")]}, r"found\.json: 'bbox' of 1 pose is not finite"),
        ({"image_id": 1}, r"found\.json: poses in 1 image that .*val2017\.json does not have, such as 1"),
    ],
)
def test_broken_results(samples: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    image_id = coco.PLAN[0][0]
    entry = {"image_id": image_id, "category_id": 1, "keypoints": [0.0] * 51, "score": 1.0, "bbox": [0, 0, 10, 10]}
    suite = load_suite("coco")
    assert score_foreign(suite, write(tmp_path / "found.json", [entry]), samples).metrics["AP"] == 0
    with pytest.raises(ObtainError, match=message):
        score_foreign(suite, write(tmp_path / "found.json", [entry | change]), samples)


def test_box_files_and_images_are_not_needed(samples: Path, tmp_path: Path) -> None:
    for name in ("crowdpose/annotations/mmpose_crowdpose_test.json", "aic/annotations/aic_val.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes((samples / name).read_bytes())
        people = json.loads(path.read_text())["annotations"]
        found = [
            {"image_id": p["image_id"], "category_id": 1, "keypoints": p["keypoints"], "score": 1.0} for p in people
        ]
        scored = score_foreign(load_suite(name.split("/")[0]), write(tmp_path / "found.json", found), tmp_path)
        assert scored.metrics["AP"] == pytest.approx(1)
        assert scored.metrics["AR"] == pytest.approx(1)
