"""`harness score RUN_DIR` seals only what follows from the predictions, or what the run itself sealed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Harness

from harness import rescore_run
from harness.errors import ObtainError
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.record import Noise, Record, Variant
from harness.run_folder import RunFolder

RUN = Path(__file__).parents[2] / "results" / "demo" / "litehrnet-18-mpii-128x128" / "val"
NOISE = {"variants": [{"change": "edited", "differences": {"PCKh@0.5": 0.5}}]}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(RUN, tmp_path / "val")))


def edit(run: RunFolder, **fields: Any) -> None:
    """Change fields of the record by hand."""
    run.record.write_text(json.dumps(json.loads(run.record.read_text()) | fields))


def limited(run: RunFolder) -> None:
    """Make the run partial, as with `--limit 2`."""
    found = Predictions.load(run.predictions)
    images = list(dict.fromkeys(found.image_ids.tolist()))[:2]
    some, record = found.of_images(images), Record.load(run.record)
    assert record.predictions_key
    some.save(run.predictions, record.predictions_key)
    Protocol.load(run.protocol).model_copy(update={"limit": 2}).save(run.protocol)
    of_some = {"status": "partial", "reason": "only the first 2 images (--limit)", "images": 2, "people": len(some)}
    run.save_record(record.model_copy(update=of_some))


def of_a_part(run: RunFolder) -> None:
    """Make the run partial, as with a part of the data set."""
    reason = "a part of the data set: 318 of 2,958 people"
    run.save_record(Record.load(run.record).model_copy(update={"status": "partial", "reason": reason}))


def with_noise(run: RunFolder) -> None:
    noise = Noise(variants=[Variant(change="batch size 1", differences={"PCKh@0.5": 0.001})])
    run.save_record(Record.load(run.record).model_copy(update={"noise": noise}))


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"status": "own boxes", "people": 1, "images": 1, "noise": NOISE}, "images, noise, people, status"),
        ({"metrics": {"PCKh@0.5": 0.5}, "intervals": {}, "row": "other"}, "intervals, metrics, row"),
    ],
)
def test_a_changed_record_is_restored(run: RunFolder, demo: Path, fields: dict[str, Any], changed: str) -> None:
    before = run.save_record(Record.load(run.record))  # the seal of this version
    edit(run, **fields)
    found = rescore_run(run.path, demo)
    assert found.warnings[0].startswith(f"{run.record} was changed after the run in {changed}")
    assert Record.load(run.record) == before


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (limited, "only the first 2 images (--limit)"),
        (of_a_part, "a part of the data set: fewer people or images than the suite states"),
    ],
)
def test_a_partial_run_stays_partial(
    run: RunFolder, demo: Path, make: Callable[[RunFolder], None], reason: str
) -> None:
    make(run)
    honest = rescore_run(run.path, demo)
    assert (honest.status, honest.verdict, honest.warnings) == ("partial", "partial", [])
    edit(run, status="complete", reason=None)
    assert run.broken_seal(Record.load(run.record))
    rescore_run(run.path, demo)
    found = Record.load(run.record)
    assert (found.status, found.verdict, found.reason) == ("partial", "partial", reason)
    assert found.seal == honest.seal


@pytest.mark.parametrize("fields", [{"noise": NOISE}, {"weights": {"kind": "seeded", "seed": 0}}])
def test_what_the_predictions_do_not_show_is_refused(run: RunFolder, demo: Path, fields: dict[str, Any]) -> None:
    with_noise(run)
    edit(run, **fields)
    before = run.record.read_bytes()
    with pytest.raises(ObtainError, match=r"record\.json: .* weights, boxes, noise") as caught:
        rescore_run(run.path, demo)
    assert str(caught.value).endswith("\n  repeat the run")
    assert run.record.read_bytes() == before


def test_a_record_without_seal(run: RunFolder, demo: Path) -> None:
    """Records of version 0.1.0 have none; what follows from the protocol and the predictions is still right."""
    limited(run)
    edit(run, seal=None, status="complete", reason=None, people=318, images=150)
    found = rescore_run(run.path, demo)
    assert (found.status, found.reason, found.images) == ("partial", "only the first 2 images (--limit)", 2)
    assert found.people == len(Predictions.load(run.predictions))
    unchecked = "the record had no seal, so its weights, boxes, noise floor and digests could not be checked"
    assert (found.unsealed, found.warnings) == (False, [unchecked])
    assert rescore_run(run.path, demo).warnings == [unchecked]


def test_another_box_file_is_not_inspected(demo: Path, tmp_path: Path) -> None:
    """The metrics follow from the predictions; problems of boxes that the run did not use would be false."""
    run = RunFolder(Path(shutil.copytree(RUN.parents[1] / "litehrnet-18-128x96/val", tmp_path / "val")))
    data = Path(shutil.copytree(demo, tmp_path / "data"))
    used = Protocol.load(run.protocol).boxes.file
    assert used
    before = rescore_run(run.path, data)
    assert before.warnings == []
    boxes = data / used.path
    boxes.write_text(json.dumps([*json.loads(boxes.read_text()), {"image_id": 999, "category_id": 1}]))
    found = rescore_run(run.path, data)
    assert found.warnings == [f"the box file {boxes} is not the one that the run used, so it was not inspected"]
    assert found.metrics == before.metrics
    assert Record.load(run.record).warnings == []
    boxes.unlink()
    assert rescore_run(run.path, data).metrics == before.metrics


def test_a_run_that_cannot_be_scored_is_named_and_the_others_are_scored(
    harness: Harness, demo: Path, tmp_path: Path
) -> None:
    broken, missing, whole = (RunFolder(Path(shutil.copytree(RUN, tmp_path / name / "val"))) for name in "abc")
    record, found = Record.load(broken.record), Predictions.load(broken.predictions)
    assert record.predictions_key
    keypoints = found.keypoints.copy()
    keypoints[0, 0, 0] = np.nan
    replace(found, keypoints=keypoints).save(broken.predictions, record.predictions_key)
    broken.save_record(record)
    missing.spec.unlink()
    code, out, err = harness("score", tmp_path, "--data", demo)
    assert code == 3
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert errors[0] == f"error: {broken.path}: predictions: keypoints are not finite"
    assert errors[1].startswith(f"error: {missing.path}: the spec is missing")
    assert [line for line in out.splitlines() if "[" in line] == [
        f"{record.full_id} val   {record.verdict}   [{whole.path}]"
    ]
