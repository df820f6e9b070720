"""Planted causes are named: the run has one wrong setting, and the claims come from the right setting."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness

from harness.arrays import Floating
from harness.assets.dataset import data_file
from harness.errors import RunError
from harness.files import write_json
from harness.judge.alternatives import Alternative, Metrics, scoring_alternatives
from harness.judge.explanation import Explanation, TriedSetting
from harness.judge.moved_keypoints import OPENPOSE
from harness.metrics.match import evaluate
from harness.predict.crops import padded_sizes
from harness.predictions import Predictions
from harness.protocol import Compute, PoseSelection, Protocol
from harness.record import Noise, Record, Variant
from harness.report.explanation import explanation_text
from harness.run.explanation import explain
from harness.run.plan import Settings
from harness.run.reruns import Rerun
from harness.run_folder import RunFolder
from harness.speed.score import ScoredData, draw_annotations, draw_predictions
from harness.suites.configs import load_config
from harness.suites.ledger import read_protocol
from harness.suites.load import load_suite
from harness.suites.schema import Claim

SUITE = load_suite("coco")
ROW = next(row for row in SUITE.rows if row.id == "alexnet-256x192")  # its heatmaps have two strides
PUBLISHED = ("AP", "AP@0.5", "AP@0.75", "AR", "AR@0.5")
Made = tuple[Predictions, Protocol]


class Unseen:
    """A progress that is not shown."""

    def stage(self, of: str, name: str, people: int | None = None) -> None: ...

    def advance(self, people: int) -> None: ...

    def warn(self, of: str, text: str) -> None: ...

    def download(self, name: str, done: int, total: int | None) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", checkpoints=tmp_path, out=tmp_path / "runs", device="cpu")


@pytest.fixture
def right(settings: Settings) -> Made:
    """Return imperfect predictions, and the protocol of the claims."""
    rng = np.random.default_rng(0)
    document = draw_annotations(rng, ScoredData(images=80, annotations=200, predictions=800))
    config = load_config(SUITE, ROW, ROW.runs["val"])
    config.test_dataloader.dataset.bbox_file = None
    write_json(settings.data / "coco/annotations/person_keypoints_val2017.json", document)
    compute = Compute(engine="shared", batch_size=64, device="cpu")
    protocol = read_protocol(config, lambda path, what: data_file(settings.data, path, what), None, compute)
    return draw_predictions(rng, document, 800), protocol


def claims_of(made: Made, settings: Settings) -> list[Claim]:
    measured = evaluate(*made, settings.data)
    return [
        Claim(metric=name, value=round(measured[name] or 0, SUITE.metrics[name].decimals), source="table")
        for name in PUBLISHED
    ]


def save(run: Made, settings: Settings) -> None:
    folder = RunFolder(settings.out / "coco" / ROW.id / "val")
    run[0].save(folder.predictions, "key")
    write_json(folder.protocol, run[1].model_dump(mode="json"))


def explained(run: Made, claims: list[Claim], settings: Settings) -> Explanation:
    save(run, settings)
    return explain(SUITE, ROW, "val", settings, claims, False, Unseen())


def scoring(**fields: object) -> Callable[[Made], Made]:
    def plant(made: Made) -> Made:
        changed = made[1].scoring.model_copy(update=fields)
        return made[0], made[1].model_copy(update={"scoring": changed})

    return plant


def swapped(made: Made) -> Made:
    order = np.arange(17)
    order[[7, 8]] = 8, 7
    return replace(
        made[0], keypoints=made[0].keypoints[:, order], keypoint_scores=made[0].keypoint_scores[:, order]
    ), made[1]


def width_only(made: Made) -> Made:
    middle = made[0].boxes[:, [1, 3]].mean(axis=1)[:, None]
    keypoints = made[0].keypoints.copy()
    across, down = 192 / 40, 256 / 56
    keypoints[..., 1] = middle + (keypoints[..., 1] - middle) * down / across  # the tried setting undoes this
    return replace(made[0], keypoints=keypoints), made[1]


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (scoring(score_mode="bbox"), "score mode: bbox -> bbox_keypoint"),
        (scoring(sigmas=(0.05,) * 17), "sigmas: the run's -> coco's"),
        (scoring(nms_threshold=0.3), "NMS threshold: 0.3 -> 0.9"),
        (scoring(area="box"), "area rule: box -> annotation"),
        (scoring(keypoint_score_threshold=0.5), "keypoint threshold: 0.5 -> 0.2"),
        (swapped, "keypoint order: as given -> 7 and 8 swapped"),
        (width_only, "map back to the image: both strides -> the width's stride"),
    ],
)
def test_planted_cause_is_named_first(
    plant: Callable[[Made], Made], expected: str, right: Made, settings: Settings
) -> None:
    explanation = explained(plant(right), claims_of(right, settings), settings)
    assert not explanation.as_run.matches_claims
    assert [str(change) for change in explanation.trials[0].changes] == [expected]
    assert explanation.trials[0].matches_claims


def moved(function: Callable[[Floating], Floating]) -> Callable[[Made], Made]:
    return lambda made: (replace(made[0], keypoints=function(made[0].keypoints)), made[1])


def openpose(made: Made) -> Made:
    order = list(OPENPOSE)
    return replace(
        made[0], keypoints=made[0].keypoints[:, order], keypoint_scores=made[0].keypoint_scores[:, order]
    ), made[1]


def with_areas_of_crops(made: Made) -> Made:
    sizes = made[0].boxes[:, 2:] - made[0].boxes[:, :2]
    return replace(made[0], crop_areas=padded_sizes(sizes, made[1].crop).prod(axis=1)), made[1]


def with_areas_of_boxes(made: Made) -> Made:
    """Plant NMS by box area."""
    return replace(made[0], crop_areas=(made[0].boxes[:, 2:] - made[0].boxes[:, :2]).prod(axis=1)), made[1]


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (moved(lambda keypoints: keypoints + 1), "pixel coordinates: as they are -> counted from 1, turned to 0"),
        (moved(lambda keypoints: keypoints - 1), "pixel coordinates: counted from 0 -> counted from 1"),
        (
            moved(lambda keypoints: keypoints - 0.5),
            "keypoints in the image: as decoded -> half a pixel to the right and down",
        ),
        (openpose, "keypoint order: as given -> taken for OpenPose's"),
    ],
)
def test_planted_way_to_write_keypoints_is_named_first(
    plant: Callable[[Made], Made], expected: str, right: Made, settings: Settings
) -> None:
    explanation = explained(plant(right), claims_of(right, settings), settings)
    assert not explanation.as_run.matches_claims
    assert [str(change) for change in explanation.causes[0].changes] == [expected]


def test_integer_keypoints_of_a_publication_are_named(right: Made, settings: Settings) -> None:
    """The published keypoints were rounded and the run's are not; rounded keypoints of a run are found in it."""
    rounded = moved(np.rint)(right)
    explanation = explained(right, claims_of(rounded, settings), settings)
    assert "coordinates written: in full -> rounded to whole pixels" in [
        str(trial.changes[0]) for trial in explanation.causes
    ]
    assert (
        "the keypoints are whole pixels of the image" in explained(rounded, claims_of(right, settings), settings).seen
    )


def test_nms_by_box_area_is_not_answered_with_a_threshold(
    right: Made, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded = scoring(nms_threshold=0.5)(with_areas_of_crops(right))  # a threshold at which the area has an effect
    claims = claims_of(crowded, settings)
    explanation = explained(with_areas_of_boxes(crowded), claims, settings)
    assert not explanation.as_run.matches_claims
    assert str(explanation.causes[0].changes[0]) == "area for NMS: as saved -> the padded crop's"

    def without(*arguments: Any) -> Iterator[Alternative]:
        return (one for one in scoring_alternatives(*arguments) if one.change.setting != "area for NMS")

    monkeypatch.setattr("harness.run.explanation.scoring_alternatives", without)
    assert not explained(with_areas_of_boxes(crowded), claims, settings).causes


def test_each_pair_once(right: Made, settings: Settings) -> None:
    explanation = explained(right, [Claim(metric="AP", value=0.999, source="table")], settings)
    pairs = [frozenset(map(str, trial.changes)) for trial in explanation.trials if len(trial.changes) == 2]
    assert pairs
    assert len(set(pairs)) == len(pairs)


def test_two_causes_are_named_together(right: Made, settings: Settings) -> None:
    wrong = scoring(score_mode="bbox")(scoring(sigmas=(0.05,) * 17)(right))
    best = explained(wrong, claims_of(right, settings), settings).trials[0]
    assert best.matches_claims
    assert {str(change) for change in best.changes} == {
        "score mode: bbox -> bbox_keypoint",
        "sigmas: the run's -> coco's",
    }


def test_metric_that_was_printed_as_another(right: Made, settings: Settings) -> None:
    measured = evaluate(*right, settings.data)
    claims = [claim for claim in claims_of(right, settings) if claim.metric == "AP"]
    claims.append(Claim(metric="AR", value=round(measured["AR@0.75"] or 0, 3), source="table"))
    best = explained(right, claims, settings).trials[0]
    assert [str(change) for change in best.changes] == ["claimed metric: AR -> AR@0.75"]
    assert best.matches_claims


def test_run_as_claimed_needs_no_explanation(right: Made, settings: Settings) -> None:
    explanation = explained(right, claims_of(right, settings), settings)
    assert explanation.as_run.matches_claims
    assert explanation.as_run.distance < len(PUBLISHED) / 2 + 1e-9
    assert all(len(trial.changes) == 1 for trial in explanation.trials)
    assert "flip test" in explanation.not_tried


def test_claims_within_the_measured_noise_need_no_explanation(right: Made, settings: Settings) -> None:
    claims = [claim.model_copy(update={"value": claim.value - 0.003}) for claim in claims_of(right, settings)]
    assert not explained(right, claims, settings).as_run.matches_claims
    noise = Noise(variants=[Variant(change="batch size 1", differences=dict.fromkeys(PUBLISHED, 0.003))])
    record = Record(suite="coco", row=ROW.id, run="val", label="X", status="complete", verdict="differs", noise=noise)
    write_json(RunFolder(settings.out / "coco" / ROW.id / "val").record, record.model_dump(mode="json"))
    as_run = explained(right, claims, settings).as_run
    assert as_run.verdict == "within noise"
    assert as_run.matches_claims


def test_nothing_lands_on_an_impossible_claim(right: Made, settings: Settings) -> None:
    explanation = explained(right, [Claim(metric="AP", value=0.999, source="table")], settings)
    assert not explanation.causes
    distances = [trial.distance for trial in explanation.trials]
    assert distances == sorted(distances)
    assert any(len(trial.changes) == 2 for trial in explanation.trials)


def test_tf32_is_said_to_be_untried_where_there_is_none(
    right: Made, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(right, settings)
    monkeypatch.setattr("harness.run.explanation.reruns", lambda *_: ([], []))
    monkeypatch.setattr("harness.run.explanation._same_plan", lambda *_: None)
    claims = claims_of(right, settings)

    def not_tried(rerun: bool) -> list[str]:
        return explain(SUITE, ROW, "val", settings, claims, rerun, Unseen()).not_tried

    assert "convolutions in TF32" in not_tried(False)
    assert not_tried(True) == ["convolutions in TF32 (on a GPU that has it)"]
    monkeypatch.setattr("harness.run.explanation.has_tf32", lambda _: True)
    assert not_tried(True) == []


def test_rerun_that_cannot_be_scored_is_skipped(
    right: Made, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(right, settings)
    predictions, protocol = right
    other = protocol.annotations.model_copy(update={"sha256": "0" * 64})
    change, unread = TriedSetting("affine", "plain", "udp"), protocol.model_copy(update={"annotations": other})
    again = [Rerun(change, predictions, unread)]
    monkeypatch.setattr("harness.run.explanation.reruns", lambda *_: (again, []))
    monkeypatch.setattr("harness.run.explanation._same_plan", lambda *_: None)
    explanation = explain(SUITE, ROW, "val", settings, claims_of(right, settings), True, Unseen())
    (skipped,) = explanation.skipped
    assert skipped.change == change
    text = explanation_text(explanation, SUITE.metrics, rerun=True).splitlines()
    assert f"  - affine: plain -> udp: {skipped.reason}" in text[text.index("Could not be tried:") :]


def test_a_partial_run_is_named_first(right: Made, settings: Settings) -> None:
    save(right, settings)
    claims, folder = claims_of(right, settings), RunFolder(settings.out / "coco" / ROW.id / "val")
    record = Record(
        suite="coco",
        row=ROW.id,
        run="val",
        label="X",
        status="partial",
        reason="only the first 4 images (--limit)",
        metrics={},
        verdict="partial",
    )
    write_json(folder.record, record.model_dump(mode="json"))
    explanation = explain(SUITE, ROW, "val", settings, claims, False, Unseen())
    assert explanation.incomplete == "partial: only the first 4 images (--limit)"
    lines = explanation_text(explanation, SUITE.metrics, rerun=False).splitlines()
    assert lines[3] == f"Warning: the run is {explanation.incomplete}. Published values are of complete runs."


def test_pair_that_cannot_be_scored_is_left_out(
    right: Made, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(predictions: Predictions, protocol: Protocol, data: Path) -> Metrics:
        assert isinstance(protocol.scoring, PoseSelection)
        if protocol.scoring.score_mode == "bbox" and protocol.scoring.nms_threshold == 0.5:
            raise RunError("both together")
        return evaluate(predictions, protocol, data)

    monkeypatch.setattr("harness.run.explanation.evaluate", scored)
    explanation = explained(right, [Claim(metric="AP", value=0.999, source="table")], settings)
    pairs = [set(map(str, trial.changes)) for trial in explanation.trials if len(trial.changes) == 2]
    assert pairs
    assert {"score mode: bbox_keypoint -> bbox", "NMS threshold: 0.9 -> 0.5"} not in pairs


def test_command(harness: Harness, right: Made, settings: Settings) -> None:
    save(scoring(score_mode="bbox")(right), settings)
    targets = [f"--target={claim.metric}={claim.value:.3f}" for claim in claims_of(right, settings)]
    where = ("--data", settings.data, "--out", settings.out)
    code, out, _ = harness("explain", "coco/alexnet-256x192", *targets, *where)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "coco/alexnet-256x192 val"
    assert lines[1].startswith("  as run   AP 0.")
    landing = lines.index("Matches the claims, fewest changes first:")
    assert lines[landing + 1] == "  1. score mode: bbox -> bbox_keypoint"
    assert lines[landing + 3] == "     by chance: a wrong setting matches less than 1 % of random claims as closely"
    assert lines[-1].startswith("Not tried without --rerun: boxes, flip test, shift of the mirrored heatmaps, ")

    code, out, _ = harness("explain", "coco/alexnet-256x192", "--target", "AP=0.999", *where)
    assert code == 1
    assert "No change matches the claims or halves the distance to them." in out.splitlines()

    code, out, _ = harness("explain", "coco/alexnet-256x192", "--json", "--target", "AP=0.999", *where)
    document = json.loads(out)
    assert code == 1
    assert document["as_run"]["verdict"] == "differs"
    assert not any(trial["verdict"] == "reproduced" for trial in document["trials"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("alexnet-256x192", "'alexnet-256x192' is not a row's full id"),
        ("coco/alexnet", "no row of coco matches alexnet (did you mean alexnet-256x192?)"),
        ("coco/*", "coco/* matches 41 rows: coco/vitpose-h-256x192, "),
        ("jhmdb/cpm-368x368", "jhmdb/cpm-368x368 has the runs sub1, sub2, sub3"),
        ("coco/alexnet-256x192 --run test", "coco/alexnet-256x192 has the runs val"),
        ("coco/alexnet-256x192 --target AP", "--target needs METRIC=VALUE, such as AP=0.749, not AP"),
        ("coco/alexnet-256x192 --target AP=", "--target needs METRIC=VALUE, such as AP=0.749, not AP="),
        ("coco/alexnet-256x192 --target =1", "--target needs METRIC=VALUE, such as AP=0.749, not =1"),
        ("coco/alexnet-256x192 --target AP=0.3 --target AP=0.4", "--target names AP several times; keep one of them"),
        ("coco/alexnet-256x192 --target AP=0.3 --target AP=0.3", "--target names AP several times; keep one of them"),
        ("coco/alexnet-256x192 --target PCK=0.5", "the target PCK is no metric of coco: AP, "),
        ("coco/alexnet-256x192 --data nowhere", "the data folder nowhere does not exist"),
        ("coco/alexnet-256x192", "the protocol is missing"),
    ],
)
def test_command_that_cannot_be_followed(harness: Harness, arguments: str, message: str) -> None:
    Path("data").mkdir()
    code, out, err = harness("explain", *arguments.split())
    assert (code in (2, 3), out) == (True, "")
    assert message in err
