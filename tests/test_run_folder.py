"""Damaged files of a run folder are rejected with their names; `tests/fuzz` damages them at random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import ObtainError
from harness.predictions import Predictions
from harness.record import Record, Status
from harness.run_folder import RunFolder, RunSpec
from harness.suites.load import load_suite


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Return a run folder with the files that the tests damage."""
    folder, suite = RunFolder(tmp_path), load_suite("demo")
    RunSpec.of(suite, suite.rows[0], "val", {}, ["nose"]).save(folder.spec)
    record = Record(suite="demo", row="x", run="val", label="X", status="failed", verdict="failed")
    record.save(folder.record)
    Predictions(
        person_ids=np.arange(2),
        image_ids=np.arange(2),
        boxes=np.zeros((2, 4), np.float32),
        box_scores=np.ones(2, np.float32),
        crop_areas=np.ones(2, np.float32),
        keypoints=np.zeros((2, 3, 2), np.float32),
        keypoint_scores=np.ones((2, 3), np.float32),
    ).save(folder.predictions, "key")
    return folder


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metrics": []}, "metrics: Input should be a valid dictionary"),
        ({"metrics": {}}, "metrics: 'AP.*' is missing, which the row publishes"),
        ({"run": "test"}, "the row has no run 'test'"),
        ({"run": ["val"]}, "run: Input should be a valid string"),
        ({"schema_version": "x" * 5000}, "spec has schema version 'xxx"),
    ],
)
def test_spec(run: RunFolder, fields: dict[str, Any], message: str) -> None:
    assert RunSpec.load(run.spec).run == "val"
    change(run.spec, **fields)
    with pytest.raises(ObtainError, match=message) as caught:
        RunSpec.load(run.spec)
    assert str(run.spec) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_record_with_a_number_that_is_none(run: RunFolder, number: float) -> None:
    assert Record.load(run.record).metrics == {}
    change(run.record, metrics={"AP": number})
    with pytest.raises(ObtainError, match=r"(?s)the record is damaged: .*record\.json: .*metrics\.AP"):
        Record.load(run.record)


FLOATS = pa.list_(pa.float32(), 3)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("box", None, "the column box is not lists of 4 numbers"),
        ("box", pa.array([[1.0] * 3] * 2, FLOATS), "the column box is not lists of 4 numbers"),
        ("keypoints", pa.array([[1.0] * 3] * 2, FLOATS), "the column keypoints is not lists of 6 numbers"),
        ("keypoint_scores", pa.array([[1.0, None, 1.0]] * 2, FLOATS), "the column keypoint_scores is not lists of"),
        ("person_id", pa.array([1, None]), "the column person_id is not of type int64"),
        ("image_id", pa.array(["1", "2"]), "the column image_id is not of type int64"),
        ("box_score", None, "the column box_score is not of type float"),
    ],
)
def test_columns(run: RunFolder, column: str, values: pa.Array | None, message: str) -> None:
    table = pq.read_table(run.predictions)
    index = table.schema.get_field_index(column)
    table = table.remove_column(index) if values is None else table.set_column(index, column, values)
    pq.write_table(table, run.predictions)
    with pytest.raises(ObtainError, match=rf"predictions are damaged: .*predictions\.parquet: {message}"):
        Predictions.load(run.predictions)


def test_text_that_is_none(run: RunFolder) -> None:
    whole = run.predictions.read_bytes()
    run.predictions.write_bytes(whole.replace(b"crop_area", b"crop_\xff\xfe\xfda"))
    assert Predictions.saved_key(run.predictions) in (None, "key")
    with pytest.raises(ObtainError, match=r"predictions\.parquet"):
        Predictions.load(run.predictions)
    pq.write_table(
        pq.read_table(pa.BufferReader(whole)).replace_schema_metadata({"schema_version": b"\xff"}), run.predictions
    )
    assert Predictions.saved_key(run.predictions) is None
    with pytest.raises(ObtainError, match="predictions have schema version"):
        Predictions.load(run.predictions)


A, B = "a" * 64, "b" * 64
"""Keys of two contents."""


def ran(folder: RunFolder, status: Status, key: str | None) -> None:
    """Write the record of a run into the folder, as a run does after `make_way`."""
    folder.path.mkdir(parents=True, exist_ok=True)
    Record(suite="s", row="r", run="val", label="", status=status, verdict="measured", predictions_key=key).save(
        folder.record
    )


def found(folder: RunFolder) -> dict[str, tuple[str, str | None]]:
    """Return status and key of the run in the folder and of those beside it, by name."""
    records = [(path.parent.name, Record.load(path)) for path in folder.path.parent.glob("*/record.json")]
    return {name: (record.status, record.predictions_key) for name, record in records}


def test_a_run_that_was_moved_aside_comes_back(tmp_path: Path) -> None:
    """Also over a run that is not whole, so that it is not computed anew and then in the way of the next one."""
    folder = RunFolder(tmp_path / "val")
    ran(folder, "complete", A)
    statuses: tuple[Status, ...] = ("failed", "partial")
    for status in statuses:
        folder.make_way(B)
        assert found(folder) == {"val.aaaaaaaa": ("complete", A)}
        ran(folder, status, None if status == "failed" else B)
        folder.shards.mkdir()
        folder.make_way(A)
        assert found(folder) == {"val": ("complete", A)}
    folder.make_way(B)
    ran(folder, "complete", B)
    folder.make_way(A)
    assert found(folder) == {"val": ("complete", A), "val.bbbbbbbb": ("complete", B)}
    folder.make_way(B)
    assert found(folder) == {"val": ("complete", B), "val.aaaaaaaa": ("complete", A)}


def test_a_place_that_is_taken(tmp_path: Path) -> None:
    """Earlier versions computed a run anew while the same one lay aside; both are complete, and both are kept."""
    folder, aside = RunFolder(tmp_path / "val"), RunFolder(tmp_path / "val.aaaaaaaa")
    for number in (2, 3):
        ran(folder, "complete", A)
        ran(aside, "complete", A)
        folder.make_way(B)
        assert not folder.path.exists()
        assert len(found(folder)) == number
        assert all(name.startswith("val.aaaaaaaa") for name in found(folder))


def test_only_a_whole_run_of_the_same_content_comes_back(tmp_path: Path) -> None:
    folder, aside = RunFolder(tmp_path / "val"), RunFolder(tmp_path / "val.aaaaaaaa")
    ran(folder, "partial", B)
    cases: list[tuple[Status, str]] = [("failed", A), ("complete", "a" * 8 + B)]
    for status, key in cases:
        ran(aside, status, key)
        folder.make_way(A)
        assert found(folder) == {"val": ("partial", B), "val.aaaaaaaa": (status, key)}
