"""The files of a run are sealed together: every command that reads them notices manual changes."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Harness

from harness import load_results
from harness.errors import ObtainError
from harness.files import content_key
from harness.predict.crops import read_image
from harness.predictions import Predictions
from harness.record import MEASURED, UNSEALED, Record
from harness.report.results import read_results
from harness.run_folder import MEND, RunFolder

RUN = Path("demo/litehrnet-18-mpii-128x128/val")
ROWS = ("--rows", "*mpii*")


@pytest.fixture(scope="module")
def made(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one run of the demo."""
    from harness.cli import main

    out = tmp_path_factory.mktemp("made") / "runs"
    assert main(["run", "demo", "--data", str(demo), "--out", str(out), *ROWS]) == 0
    return out


def moved_keypoints(run: Path) -> None:
    path = run / "predictions.parquet"
    key = Predictions.saved_key(path)
    assert key
    found = Predictions.load(path)
    replace(found, keypoints=found.keypoints + 3).save(path, key)


def edited_metric(run: Path) -> None:
    record = json.loads((run / "record.json").read_text())
    record["metrics"]["PCKh@0.5"] += 0.01
    (run / "record.json").write_text(json.dumps(record))


def edited_image_content(run: Path) -> None:
    record = json.loads((run / "record.json").read_text())
    assert record["image_content"]
    record["image_content"] = None
    (run / "record.json").write_text(json.dumps(record))


def edited_protocol(run: Path) -> None:
    protocol = json.loads((run / "protocol.json").read_text())
    protocol["flip"]["enabled"] = False
    (run / "protocol.json").write_text(json.dumps(protocol))


def edited_spec(run: Path) -> None:
    spec = json.loads((run / "spec.json").read_text())
    spec["row"]["tolerance"] = {"page": {"PCKh@0.5": 0.9}}
    (run / "spec.json").write_text(json.dumps(spec))


EDITS = {
    moved_keypoints: r"predictions\.parquet has changed since the record was made from it",
    edited_metric: r"record\.json: the metrics, or what they refer to, have been changed since they were measured",
    edited_protocol: r"protocol\.json has changed since the record was made from it",
    edited_spec: r"spec\.json has changed since the record was made from it",
}


@pytest.mark.parametrize(("edit", "message"), EDITS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_changed_by_hand_is_noticed(
    harness: Harness, demo: Path, made: Path, tmp_path: Path, edit: Callable[[Path], None], message: str
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    right = Record.load(runs / RUN / "record.json")
    edit(runs / RUN)

    for arguments in (
        ("compare", runs, made),
        ("compare", made, runs),
        ("explain", "demo/litehrnet-18-mpii-128x128", "--data", demo, "--out", runs),
    ):
        code, _, err = harness(*arguments)
        assert code == 3, arguments
        assert re.search(message, err), err
    code, out, err = harness("report", runs, "--suite", "demo", "--out", tmp_path / "site")
    assert code == 0
    assert "left out: " in out + err
    with pytest.raises(ObtainError, match=message) as caught:
        load_results(runs)
    assert "left out" not in str(caught.value)
    assert str(caught.value).endswith("\n  " + (MEND if edit is edited_metric else "repeat the run"))

    # Scores can be recomputed from valid predictions; predictions and protocol only by another run.
    code, _, err = harness("score", runs, "--data", demo)
    assert code == (0 if edit is edited_metric else 3)
    if edit is edited_metric:
        assert Record.load(runs / RUN / "record.json").metrics == right.metrics
        edit(runs / RUN)
    code, out, err = harness("run", "demo", "--data", demo, "--out", runs, *ROWS)
    assert (code, "reproduced" in out) == (0, True), err
    again = Record.load(runs / RUN / "record.json")
    assert (again.metrics, again.seal) == (right.metrics, right.seal)
    assert harness("compare", runs, made)[0] == 0


def lost_protocol(run: Path) -> None:
    (run / "protocol.json").unlink()


def test_readers_judge_again(harness: Harness, made: Path, tmp_path: Path) -> None:
    """Claims and verdicts follow from what the seal covers and the suite, so it does not cover them."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    path = runs / RUN / "record.json"
    record = json.loads(path.read_text())
    assert record["verdict"] == "reproduced"
    record["verdict"] = "differs"
    for claim in record["claims"]:
        claim["verdict"] = "differs"
    path.write_text(json.dumps(record))
    same = f"{RUN.as_posix()}   same\n\nGreen: 1 run: 1 same\n"
    assert harness("compare", runs, made)[:2] == (0, same)
    assert harness("compare", made, runs)[:2] == (0, same)
    table = load_results(runs)
    assert set(table["run_verdict"]) == {"reproduced"}
    assert "differs" not in set(table["verdict"])


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        (edited_metric, "record was changed"),
        (edited_image_content, "record was changed"),
        (edited_protocol, "protocol was changed"),
        (edited_spec, "spec was changed"),
        (lost_protocol, "protocol is missing"),
    ],
)
def test_states_of_damaged_runs(
    harness: Harness, made: Path, tmp_path: Path, edit: Callable[[Path], None], state: str
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    edit(runs / RUN)
    code, out, err = harness("list", "demo", "--out", runs, *ROWS)
    assert (code, err) == (0, "")
    assert out.splitlines()[3].endswith(f"  {state}")
    code, out, _ = harness("run", "demo", "--out", runs, *ROWS, "--status")
    assert (code, state in out) == (0, True)


def test_a_damaged_record_is_not_a_run_that_is_to_do(harness: Harness, made: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    (runs / RUN / "record.json").write_text("{}")
    assert harness("list", "demo", "--out", runs, *ROWS)[1].splitlines()[3].endswith("  record is damaged")
    out = harness("run", "demo", "--out", runs, *ROWS, "--status")[1]
    assert "to do     record has schema version None, not 1: " in out


def content(run: Path) -> dict[str, object]:
    """Return the content of a run's JSON files, without times."""
    found = {path.name: json.loads(path.read_text()) for path in run.glob("*.json")}
    for document, field in (("environment.json", "made"), ("record.json", "timings"), ("estimation.json", "timings")):
        del found[document][field]
    return found


@pytest.mark.parametrize(
    "name",
    [
        "protocol.json",
        "environment.json",
        "record.json",
        "spec.json",
        "diagnosis.json",
        "estimation.json",
        "predictions.parquet",
    ],
)
def test_a_run_makes_a_missing_file_again(harness: Harness, demo: Path, made: Path, tmp_path: Path, name: str) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    (runs / RUN / name).unlink()
    code, out, err = harness("report", runs, "--suite", "demo", "--out", tmp_path / "site")
    assert code == 0
    if name in ("protocol.json", "environment.json"):
        missing = f"the {name.removesuffix('.json')} is missing: {runs / RUN / name}"
        assert f"warning: {missing}\n  make it with `harness run`\n" in err
        code, out, err = harness("compare", runs, made)
        assert (code, missing in err) == (3, True)

    code, out, err = harness("run", "demo", "--data", demo, "--out", runs, *ROWS)
    assert (code, "reproduced" in out) == (0, True), err
    assert content(runs / RUN) == content(made / RUN)
    assert (runs / RUN / "predictions.parquet").is_file()
    assert harness("compare", runs, made)[:2] == (0, f"{RUN.as_posix()}   same\n\nGreen: 1 run: 1 same\n")
    assert harness("score", runs, "--data", demo)[0] == 0


def test_a_seal_without_its_protocol(harness: Harness, demo: Path, made: Path, tmp_path: Path) -> None:
    """Earlier versions sealed the record of a run again after its protocol was removed."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    (runs / RUN / "protocol.json").unlink()
    record = Record.load(runs / RUN / "record.json")
    assert record.seal
    seal = record.seal.model_copy(update={"protocol": None})
    record.model_copy(update={"seal": seal}).save(runs / RUN / "record.json")
    assert harness("run", "demo", "--data", demo, "--out", runs, *ROWS)[0] == 0
    assert content(runs / RUN) == content(made / RUN)


def test_a_seal_without_the_content_of_the_images(made: Path) -> None:
    """Records of earlier versions stay valid: with a digest of the images that the seal does not cover, or without."""
    folder = RunFolder(made / RUN)
    record = Record.load(folder.record)
    assert record.seal
    measured = record.model_dump(mode="json", include=set(MEASURED - {"image_content"}))
    seal = record.seal.model_copy(update={"measured": content_key(measured)})
    for content in (record.image_content, None):
        earlier = record.model_copy(update={"seal": seal, "image_content": content})
        assert (folder.broken_seal(earlier), folder.damage(earlier)) == (None, None)
        assert folder.broken_seal(earlier.model_copy(update={"images": 1}))


def test_a_record_that_disagrees_with_its_predictions(harness: Harness, demo: Path, made: Path, tmp_path: Path) -> None:
    """Records of earlier versions have no seal; their metrics are compared with those of their predictions."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    path = runs / RUN / "record.json"
    record = Record.load(path)
    metrics = {name: (value or 0) + 0.02 for name, value in record.metrics.items()}
    record.model_copy(update={"seal": None, "metrics": metrics}).save(path)
    code, out, _ = harness("compare", runs, made, "--data", demo)
    assert code == 1
    assert re.search("does not match its own predictions: .* from the predictions; recompute the record", out)


def test_a_record_without_a_seal_is_never_used_silently(
    harness: Harness, demo: Path, made: Path, tmp_path: Path
) -> None:
    """It is of version 0.1.0, or its seal was removed to hide a change."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    path = runs / RUN / "record.json"
    right = Record.load(path)
    edited_metric(runs / RUN)
    Record.load(path).model_copy(update={"seal": None}).save(path)
    code, out, _ = harness("compare", made, runs)
    assert (code, f"warning: baseline: {UNSEALED}" in out) == (1, True)
    assert UNSEALED in harness("compare", runs, made)[1]
    (result,) = read_results([runs]).found
    assert result.record.warnings == [UNSEALED]

    assert harness("run", "demo", "--data", demo, "--out", runs, *ROWS)[0] == 0
    again = Record.load(path)
    assert (again.metrics, again.seal) == (right.metrics, right.seal)


def test_a_run_under_the_name_of_another_row_is_noticed(
    harness: Harness, demo: Path, made: Path, tmp_path: Path
) -> None:
    other = "litehrnet-18-dark-128x96"
    runs = tmp_path / "runs"
    shutil.copytree(made / RUN, runs / "demo" / other / "val")
    assert (
        harness("list", "demo", "--out", runs, "--rows", other)[1].splitlines()[3].endswith("  record of another run")
    )
    arguments = (f"demo/{other}", "--data", demo, "--out", runs)
    for more in ((), ("--baseline", runs)):
        code, _, err = harness("explain", *arguments, *more)
        assert (code, "is the record of demo/litehrnet-18-mpii-128x128/val" in err) == (3, True)


def test_a_spec_of_another_row_is_noticed_without_its_digest(harness: Harness, made: Path, tmp_path: Path) -> None:
    """As in records of earlier versions, whose seal does not cover the spec."""
    runs = tmp_path / "runs"
    shutil.copytree(made, runs)
    edited = json.loads((runs / RUN / "spec.json").read_text())
    edited["row"]["id"] = "another"
    (runs / RUN / "spec.json").write_text(json.dumps(edited))
    record = Record.load(runs / RUN / "record.json")
    assert record.seal
    earlier = record.model_copy(update={"seal": record.seal.model_copy(update={"spec": None})})
    earlier.save(runs / RUN / "record.json")
    code, _, err = harness("compare", runs, made)
    assert (code, "is of demo/another/val" in err) == (3, True)


def test_changed_images_are_noticed(harness: Harness, demo: Path, made: Path, tmp_path: Path) -> None:
    data, runs = tmp_path / "data", tmp_path / "runs"
    shutil.copytree(demo, data)
    shutil.copytree(made, runs)
    before = Record.load(runs / RUN / "record.json")
    for path in (data / "demo/mpii").rglob("*.png"):
        assert cv2.imwrite(str(path), np.zeros_like(read_image(path)))
    code, out, _ = harness("run", "demo", "--data", data, "--out", runs, *ROWS)
    assert (code, "differs" in out) == (1, True)
    after = Record.load(runs / RUN / "record.json")
    assert after.image_content != before.image_content
    code, out, _ = harness("compare", runs, made)
    assert (code, "image_content: " in out) == (1, True)
