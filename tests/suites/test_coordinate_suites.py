"""The suites of RTMPose, SimCC, regression and integral regression: their rows, and the errors in their tables."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES

from harness.suites.audit import Audit, audit_suite
from harness.suites.configs import load_config, read_config, read_run_config
from harness.suites.decoding import read_decoder
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite, published_suites
from harness.suites.schema import Row, Suite

ROWS = {
    "ap10k-rtmpose": 1,
    "body8": 6,
    "coco-integral": 3,
    "coco-regression": 9,
    "coco-rtmpose": 24,
    "coco-simcc": 4,
    "coco-wholebody-face-rtmpose": 1,
    "coco-wholebody-hand-rtmpose": 2,
    "coco-wholebody-rtmpose": 13,
    "crowdpose-rtmpose": 1,
    "halpe26": 7,
    "hand5": 1,
    "humanart-rtmpose": 16,
    "lapa": 4,
    "mpii-regression": 4,
    "mpii-rtmpose": 1,
    "onehand10k-regression": 1,
    "rhd-regression": 1,
    "wflw-regression": 3,
    "wflw-rtmpose": 1,
}
POOLED = ("body8", "halpe26", "hand5")
DIFFERENT = """\
body8/rtmpose-l-384x288 PCK@0.1 95.36 96.40
coco-simcc/resnet-50-256x192 AP@0.5 0.897 0.900
coco-wholebody-hand-rtmpose/rtmpose-m-256x256 AUC 0.837 0.815
coco-wholebody-hand-rtmpose/rtmpose-m-256x256 PCK@0.2 0.815 0.837
halpe26/rtmpose-s-256x192 AUC 68.62 68.20
"""
"""Where page and metafile of MMPose 1.3.2 state different values for one checkpoint."""


@pytest.fixture(scope="module")
def suites() -> list[Suite]:
    return [load_suite(name) for name in ROWS]


@pytest.fixture(scope="module")
def audits(suites: list[Suite]) -> list[Audit]:
    return [audit_suite(suite) for suite in suites]


def rows(suites: list[Suite]) -> list[tuple[str, Row]]:
    return [(suite.row_id(row), row) for suite in suites for row in suite.rows]


def test_rows(suites: list[Suite]) -> None:
    assert {suite.name: len(suite.rows) for suite in suites} == ROWS
    named = {name for name in published_suites() if name.endswith(("-rtmpose", "-simcc", "-regression", "-integral"))}
    assert named | {"body8", "halpe26", "hand5", "lapa"} == set(ROWS)


def test_100_printed_rows_are_entered_once(suites: list[Suite]) -> None:
    """Four rows are printed on two pages; seven are of two tests, so they are two rows each in the suites."""
    twice = [name for name, row in rows(suites) if row.also_printed]
    assert twice == [f"coco-rtmpose/rtmpose-{size}-256x192" for size in "tsml"]
    weights = [(row.runs["val"].checkpoint.url, row) for _, row in rows(suites)]
    of_pooled = {run.checkpoint.url for suite in suites if suite.name in POOLED for run in runs(suite)}
    two_tests = [url for url, _ in weights if url in of_pooled and sum(url == other for other, _ in weights) == 2]
    assert len(set(two_tests)) == 7
    assert sum(ROWS.values()) + len(twice) - 7 == 100


def runs(suite: Suite) -> list[Any]:
    return [run for row in suite.rows for run in row.runs.values()]


def test_every_column_of_a_row_is_judged_by_one_value(suites: list[Suite]) -> None:
    for name, row in rows(suites):
        judged = Counter(claim.metric for claim in row.claims if claim.gates and not claim.refuted)
        assert judged == dict.fromkeys(row.printed, 1), name


def test_known_disagreements_are_exactly_these(audits: list[Audit]) -> None:
    findings = [finding for audit in audits for finding in audit.findings]
    assert {finding.status for finding in findings} == {"known"}
    assert all(finding.reason for finding in findings)
    lines = [f"{one.row} {one.subject} {one.stated} {one.found}" for one in findings if one.found != "no value"]
    assert sorted(lines) == DIFFERENT.splitlines()
    absent = {finding.row for finding in findings if finding.found == "no value"}
    stated = {name for audit in audits for name, row in rows([audit.suite]) if row.no_metafile or row.unconfirmed}
    assert absent == stated
    assert len(absent) == 4 + 8 + 5 + 1 + 6


def test_what_the_overview_printed_otherwise(suites: list[Suite]) -> None:
    of = {name: {c.metric: c.value for c in row.claims if c.source == "history"} for name, row in rows(suites)}
    assert {name: values for name, values in of.items() if values} == {
        "coco-regression/resnet-50-256x192": {"AP": 0.528, "AR": 0.639},
        "coco-regression/resnet-50-rle-256x192": {"AR": 0.768},
        "coco-regression/resnet-152-rle-256x192": {"AR": 0.805},
        "crowdpose-rtmpose/rtmpose-m-256x192": {"AR": 0.788},
    }


def test_hashes(suites: list[Suite]) -> None:
    """Three files of RTMW have a date instead of a hash in their names, and the hash of Hand5 has seven digits."""
    hashes = {name: row.runs["val"].checkpoint.sha256 for name, row in rows(suites)}
    whole = "coco-wholebody-rtmpose/rtmw"
    assert [name for name, sha256 in hashes.items() if not sha256] == [
        f"{whole}-m-256x192",
        f"{whole}-l-256x192",
        f"{whole}-l-384x288",
    ]
    assert {name for name, sha256 in hashes.items() if sha256 and len(sha256) == 7} == {
        "coco-wholebody-hand-rtmpose/rtmpose-m-hand5-256x256",
        "hand5/rtmpose-m-256x256",
    }


def test_one_that_pools_data_sets_cannot_be_run(suites: list[Suite]) -> None:
    assert [name for name, row in rows(suites) if row.cannot_run] == ["hand5/rtmpose-m-256x256"]


def test_protocols(suites: list[Suite]) -> None:
    """Codecs, crops, flips and scores of every row that can be run."""
    found: Counter[tuple[str, bool, str | None]] = Counter()
    for suite in suites:
        for row in suite.rows:
            if row.cannot_run:
                continue
            protocol = protocol_without_files(load_config(suite, row, row.runs["val"]))
            assert protocol.crop.affine == "plain"
            assert protocol.crop.padding == 1.25
            assert protocol.flip.enabled
            assert protocol.decoder.heatmap_size is None
            mode = getattr(protocol.scoring, "score_mode", None)
            found[protocol.decoder.codec, protocol.flip.shift, mode] += 1
            expected = "detector" if row.boxes == "detector" else "ground-truth"
            assert protocol.boxes.source == expected
    assert found == {
        ("simcc", False, "bbox_keypoint"): 4 + 24 + 13 + 1 + 16 + 1,
        ("simcc", False, None): 6 + 7 + 1 + 2 + 4 + 1 + 1,
        ("regression", True, "bbox_keypoint"): 3,
        ("regression", True, "bbox_rle"): 6,
        ("regression", True, None): 4 + 3 + 1 + 1,
        ("integral", True, "bbox_keypoint"): 3,
    }


VALIDATED = {
    **{f"coco-rtmpose/rtmpose-{size}-body7-256x192": "person_keypoints_val2017.json" for size in "tsml"},
    **{f"coco-rtmpose/rtmpose-{size}-body7-384x288": "person_keypoints_val2017.json" for size in "ml"},
    **{f"lapa/rtmpose-{size}-face6-256x256": "lapa_test.json" for size in "tsm"},
}


def test_other_evaluations_are_those_that_the_configs_validate_on(suites: list[Suite]) -> None:
    """Their tests pool data sets; the published values are of their `val_dataloader`."""
    for suite in suites:
        for row in suite.rows:
            if suite.row_id(row) not in VALIDATED:
                continue
            own = read_config(_config(row)).val_dataloader.dataset
            evaluated = read_run_config(suite, row, row.runs["val"]).test_dataloader.dataset
            assert own.type == evaluated.type
            assert Path(own.ann_file).name == Path(evaluated.ann_file).name == VALIDATED[suite.row_id(row)]
            boxes = (str(dataset.get("bbox_file")).rsplit("/", 1)[-1] for dataset in (own, evaluated))
            assert len(set(boxes)) == 1
            for mine, theirs in zip(own.pipeline, evaluated.pipeline, strict=True):
                assert {k: v for k, v in mine.items() if k != "backend_args"} == {
                    k: v for k, v in theirs.items() if k != "backend_args"
                }


def _config(row: Row) -> Path:
    from harness.suites.configs import configs_folder

    return configs_folder() / row.runs["val"].config


@pytest.fixture
def reference() -> list[dict[str, Any]]:
    """Return each printed row, transcribed from MMPose's pages, metafiles and configs."""
    path = SAMPLES.parent.parent / "reference" / "zoo_simcc.json"
    if not path.is_file():
        pytest.skip("no transcription of MMPose's pages: HARNESS_SAMPLES names no folder with one near it")
    return list(json.loads(path.read_text()))


NAMES = {"Mean": "PCKh@0.5", "Mean / w. flip": "PCKh@0.5", "Mean@0.1": "PCKh@0.1"}


def _measure(printed: str) -> str:
    """Return the name of a printed column."""
    if part := re.fullmatch(r"(Body|Foot|Face|Hand|Whole) (A[PR])", printed):
        return f"{part[2]}({part[1].lower()})"
    if level := re.fullmatch(r"AP \(([EMHL])\)", printed):
        return f"AP({level[1]})"
    return NAMES.get(printed, re.sub(r" \((COCO|Body8|LaPa|Hand5|COCO-Wholebody-Hand)\)", "", printed))


def test_rows_equal_the_transcription(suites: list[Suite], reference: list[dict[str, Any]]) -> None:
    entered: dict[tuple[str, str, str], tuple[Suite, Row]] = {}
    for suite in suites:
        for row in suite.rows:
            key = row.runs["val"].checkpoint.url, row.boxes, _space(suite, row)
            assert key not in entered
            entered[key] = suite, row
    assert len(reference) == 100
    used = set()
    for printed in reference:
        boxes = {"det": "detector", "gt": "ground-truth"}[printed["row_boxes"]]
        for column, value in printed["md_metrics"].items():
            space = _space_of(printed["dataset"], column)
            at = "detector" if column == "AP (COCO)" else boxes
            suite, row = entered[printed["checkpoint"], at, space]
            used.add((printed["checkpoint"], at, space))
            metric = suite.metrics[_measure(column)]
            (claim,) = (one for one in row.claims if one.metric == _measure(column) and one.source == "page")
            assert row.runs["val"].config == printed["config"].removeprefix("configs/")
            assert row.input_size == printed["input_size"]
            assert row.runs["val"].checkpoint.sha256 == printed["sha256_prefix"]
            scale = 100 if float(value) > 1 and metric.unit == "fraction" else 1
            assert claim.value == pytest.approx(float(value) / scale, abs=1e-9)
    assert used == set(entered)


def _space(suite: Suite, row: Row) -> str:
    return {"Body8-Halpe26": "Body8"}.get(suite.dataset_of(row).name, suite.dataset_of(row).name)


def _space_of(dataset: str, column: str) -> str:
    """Return the data set that a printed value is of."""
    if column == "AP (COCO)":
        return "COCO"
    if column == "PCK@0.2 (COCO-Wholebody-Hand)":
        return "COCO-WholeBody-Hand"
    if column == "NME (LaPa)":
        return "LaPa"
    return {"Human-Art(GT)": "Human-Art"}.get(dataset, dataset)


def test_no_decoder_refines_by_dark(suites: list[Suite]) -> None:
    for suite in suites:
        for row in suite.rows:
            head = read_config(_config(row)).model.head
            assert not head.decoder.get("use_dark")
            assert read_decoder(head.decoder, "here").codec in ("simcc", "regression", "integral")
