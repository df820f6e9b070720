"""`harness explain ROW --baseline RESULTS`: runs with a planted difference, random predictions and no network."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Harness
from test_explanation import ROW, Made, openpose, right, scoring, settings, with_areas_of_boxes

from harness.files import write_json
from harness.judge.differences import Differences
from harness.metrics.match import evaluate
from harness.record import Record, Weights
from harness.run.plan import Settings
from harness.run_folder import RunFolder

__all__ = ["right", "settings"]
PLACE = Path("coco", ROW.id, "val")


def save(made: Made, data: Path, out: Path, sha256: str = "a" * 64) -> None:
    """Save predictions as a run, with a record of their metrics."""
    folder = RunFolder(out / PLACE)
    made[0].save(folder.predictions, "key")
    write_json(folder.protocol, made[1].model_dump(mode="json"))
    record = Record(
        suite="coco",
        row=ROW.id,
        run="val",
        label="AlexNet",
        status="complete",
        weights=Weights(kind="checkpoint", sha256=sha256),
        metrics=dict(evaluate(*made, data)),
        verdict="differs",
        predictions_key="key",
    )
    folder.save_record(record)


def explained(harness: Harness, new: Made, old: Made, settings: Settings) -> Differences:
    save(new, settings.data, settings.out)
    save(old, settings.data, settings.out.parent / "results")
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    _, out, err = harness("explain", f"coco/{ROW.id}", *options, "--json")
    assert out, err
    return Differences.model_validate_json(out)


def moved(made: Made) -> Made:
    return replace(made[0], keypoints=made[0].keypoints + 1), made[1]


def noisy(made: Made) -> Made:
    rng = np.random.default_rng(0)
    keypoints = made[0].keypoints + rng.normal(0, 5, made[0].keypoints.shape)
    return replace(made[0], keypoints=keypoints, keypoint_scores=made[0].keypoint_scores * np.float32(0.9)), made[1]


def smaller(made: Made) -> Made:
    return replace(made[0], boxes=made[0].boxes - np.array([0, 0, 1, 1], np.float32)), made[1]


@pytest.mark.parametrize(
    ("plant", "kind", "words", "certainty"),
    [
        (scoring(score_mode="bbox"), "scoring", "scoring.score_mode was bbox_keypoint and is bbox", "shown"),
        (scoring(nms_threshold=0.3), "scoring", "scoring.nms_threshold was 0.9 and is 0.3", "shown"),
        (moved, "map back to the image", "counted from 1, turned to 0", "shown"),
        (openpose, "keypoint order", "taken for OpenPose's", "shown"),
        (with_areas_of_boxes, "crop geometry", "without padding", "likely"),
        (smaller, "boxes", "(+0, +0, -1, -1) px off", "likely"),
        (noisy, "unknown", "no rule that was tried gives it", "possible"),
    ],
)
def test_planted_difference_is_named_first(
    harness: Harness,
    right: Made,
    settings: Settings,
    plant: Callable[[Made], Made],
    kind: str,
    words: str,
    certainty: str,
) -> None:
    first = explained(harness, plant(right), right, settings).causes[0]
    assert (first.kind, first.certainty) == (kind, certainty)
    assert words in first.text


def test_scoring_that_is_not_on_record(harness: Harness, right: Made, settings: Settings) -> None:
    """The run's protocol does not state how it was scored: its record has the metrics of other settings."""
    other = scoring(score_mode="bbox")(right)
    save(other, settings.data, settings.out)
    folder = RunFolder(settings.out / PLACE)
    record = Record.load(folder.record)
    write_json(folder.protocol, right[1].model_dump(mode="json"))
    folder.save_record(record)
    save(right, settings.data, settings.out.parent / "results")
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    code, out, _ = harness("explain", f"coco/{ROW.id}", *options)
    assert code == 0
    lines = out.splitlines()
    causes = lines.index("Causes, likeliest first:")
    assert lines[causes + 1] == "  1. scoring: score mode: bbox_keypoint -> bbox (shown)"
    assert lines[causes + 2] == "     gives the run's metrics from the baseline's predictions"


@pytest.mark.parametrize("side", ["run", "baseline"])
def test_metrics_that_other_code_computed(harness: Harness, right: Made, settings: Settings, side: str) -> None:
    """A recorded change of scoring is no cause if it does not give the metrics of its own side."""
    out, results = settings.out, settings.out.parent / "results"
    save(scoring(nms_threshold=0.3)(right), settings.data, out)
    save(right, settings.data, results)
    folder = RunFolder((out if side == "run" else results) / PLACE)
    record = Record.load(folder.record)
    elsewhere = {name: value if value is None else 0.9 * value for name, value in record.metrics.items()}
    folder.save_record(record.model_copy(update={"metrics": elsewhere}))
    options = ("--data", settings.data, "--out", out, "--baseline", results)
    found = Differences.model_validate_json(harness("explain", f"coco/{ROW.id}", *options, "--json")[1])
    assert found.causes[0].text == f"other code has scored the {side}'s predictions"
    assert found.causes[0].certainty == "shown"
    assert "on record, and" in found.causes[0].evidence[0]
    likely = ["scoring.nms_threshold was 0.9 and is 0.3"] if side == "baseline" else []
    assert [cause.text for cause in found.causes[1:]] == likely


def test_same_runs_need_no_explanation(harness: Harness, right: Made, settings: Settings) -> None:
    order = np.random.default_rng(0).permutation(len(right[0]))
    differences = explained(harness, (right[0].where(order), right[1]), right, settings)
    assert differences.causes == []
    assert differences.untold is None
    assert differences.observed.same_predictions


def test_without_the_data_predictions_are_compared_all_the_same(
    harness: Harness, right: Made, settings: Settings
) -> None:
    explained(harness, moved(right), right, settings)
    (settings.data / "coco/annotations/person_keypoints_val2017.json").write_text("{}")
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    code, out, _ = harness("explain", f"coco/{ROW.id}", *options, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["causes"][0]["text"].startswith("all keypoints are moved by (+1, +1) px of the image")
    assert document["notes"][0].startswith("predictions were not scored in other ways: ")


def test_what_cannot_be_followed(harness: Harness, right: Made, settings: Settings) -> None:
    save(right, settings.data, settings.out)
    options = ("--data", settings.data, "--out", settings.out)
    code, out, err = harness("explain", f"coco/{ROW.id}", *options, "--baseline", settings.out.parent)
    assert (code, out) == (3, "")
    assert "no run in" in err
    assert "--baseline must name the folder above the suites' folders" in err
    code, _, err = harness("explain", f"coco/{ROW.id}", *options, "--baseline", settings.out, "--target", "AP=0.5")
    assert code == 2
    assert "--target and --baseline exclude each other" in err
    folder = RunFolder(settings.out / PLACE)
    moved(right)[0].save(folder.predictions, "key")
    code, _, err = harness("explain", f"coco/{ROW.id}", *options, "--baseline", settings.out)
    assert code == 3
    assert "has changed since the record was made from it" in err


def test_other_keypoints_are_no_baseline(harness: Harness, right: Made, settings: Settings) -> None:
    save(right, settings.data, settings.out)
    save(right, settings.data, settings.out.parent / "results")
    folder = RunFolder(settings.out.parent / "results" / PLACE)
    fewer = replace(right[0], keypoints=right[0].keypoints[:, :5], keypoint_scores=right[0].keypoint_scores[:, :5])
    fewer.save(folder.predictions, "key")
    folder.save_record(Record.load(folder.record).model_copy(update={"seal": None}))
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    code, out, err = harness("explain", f"coco/{ROW.id}", *options)
    assert (code, out) == (2, "")
    assert "the run has 17 keypoints and the baseline, " in err
    assert "name a baseline of the same row and data set" in err


def test_nobody_on_both_sides(harness: Harness, right: Made, settings: Settings) -> None:
    elsewhere = replace(right[0], image_ids=right[0].image_ids + 10**6)
    save(right, settings.data, settings.out)
    save(right, settings.data, settings.out.parent / "results")
    folder = RunFolder(settings.out.parent / "results" / PLACE)
    elsewhere.save(folder.predictions, "key")
    folder.save_record(Record.load(folder.record).model_copy(update={"seal": None}))
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    _, out, err = harness("explain", f"coco/{ROW.id}", *options, "--json")
    differences = Differences.model_validate_json(out)
    assert differences.observed.people == 0, err
    assert [cause.kind for cause in differences.causes] == ["people"]


def test_other_images_are_no_other_content(harness: Harness, right: Made, settings: Settings) -> None:
    """The digest of the images is one of all evaluated images."""
    fewer = right[0].of_images(np.unique(right[0].image_ids)[:-1].tolist())
    save((fewer, right[1]), settings.data, settings.out)
    save(right, settings.data, settings.out.parent / "results")
    for out, content in ((settings.out, "b"), (settings.out.parent / "results", "c")):
        folder = RunFolder(out / PLACE)
        folder.save_record(Record.load(folder.record).model_copy(update={"image_content": content * 64}))
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    differences = Differences.model_validate_json(harness("explain", f"coco/{ROW.id}", *options, "--json")[1])
    assert "image content" not in [cause.kind for cause in differences.causes]
    assert differences.causes[0].kind == "people"


def test_numbers_that_are_not_finite_are_refused(harness: Harness, right: Made, settings: Settings) -> None:
    save(right, settings.data, settings.out)
    save(right, settings.data, settings.out.parent / "results")
    folder = RunFolder(settings.out / PLACE)
    broken = right[0].keypoints.copy()
    broken[0, 0] = np.nan
    replace(right[0], keypoints=broken).save(folder.predictions, "key")
    record = Record.load(folder.record)
    folder.save_record(record.model_copy(update={"seal": None}))
    options = ("--data", settings.data, "--out", settings.out, "--baseline", settings.out.parent / "results")
    code, out, err = harness("explain", f"coco/{ROW.id}", *options)
    assert (code, out) == (3, "")
    assert "the keypoints of 1 person are not finite" in err
