"""`harness parity` through its real entry point."""

import json
from pathlib import Path

import pytest
from conftest import Harness
from miniature import Miniature

from harness.judge.parity import ParityReport


@pytest.fixture
def options(samples: Path) -> list[object]:
    return ["--data", samples, "--weights", "random:0", "--device", "cpu"]


def test_all_suites_some_rows(harness: Harness, options: list[object], miniature: Miniature, tmp_path: Path) -> None:
    out, page = tmp_path / "new" / "parity.json", tmp_path / "parity.md"
    code, printed, _ = harness(
        "parity",
        "--rows",
        "coco/alexnet-*,mpii/litehrnet-18-*",
        *options,
        "--tflop",
        0.05,
        "--out",
        out,
        "--markdown",
        page,
    )
    assert code == 0
    lines = printed.splitlines()
    assert lines[0].split() == ["run", "people", "compared", "ties", "keypoint", "px", "tie", "px", "score", "metric"]
    assert [line.split()[:2] for line in lines[1:3]] == [
        ["coco/alexnet-256x192/val", "8"],  # a part: 2.8 GFLOP per crop, two crops per person
        ["mpii/litehrnet-18-256x256/val", str(miniature.mpii.people)],
    ]
    assert lines[-1] == "2 of 2 runs are equal"
    report = ParityReport.model_validate_json(out.read_text())
    assert [(run.id, run.people, run.people_total) for run in report.runs] == [
        ("coco/alexnet-256x192/val", 8, sum(miniature.coco.boxes)),
        ("mpii/litehrnet-18-256x256/val", miniature.mpii.people, miniature.mpii.people),
    ]
    assert all(run.equal and run.keypoints_compared for run in report.runs)
    assert (report.weights, report.tflop, report.failed) == ("random:0", 0.05, ())
    assert report.environment["packages"]["torch"]
    assert "2 of 2 runs are equal to MMPose's own test loop" in page.read_text()


def test_an_error_of_mmpose_leaves_the_other_runs(
    harness: Harness, options: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ImportError("Please install petrel_client\nto enable PetrelBackend.")

    monkeypatch.setattr("harness.run.parity.predict_upstream", fail)
    code, printed, _ = harness("parity", "--rows", "mpii/litehrnet-*", *options, "--tflop", 0.01)
    assert code == 3
    assert printed.count("FAILED: ImportError: 'Please install petrel_client\\nto enable PetrelBackend.'") == 2


@pytest.mark.long
def test_a_part_goes_into_what_is_there(harness: Harness, options: list[object], tmp_path: Path) -> None:
    out = tmp_path / "parity.json"
    arguments = ("parity", *options, "--tflop", 0.01, "--out", out)
    harness(*arguments, "--rows", "mpii/litehrnet-18-*,mpii/shufflenet-*")
    first = ParityReport.model_validate_json(out.read_text())
    damaged = first.runs[1].model_copy(update={"keypoint_max_px": 5.0})
    out.write_text(first.model_copy(update={"runs": (first.runs[0], damaged, first.runs[2])}).model_dump_json())
    code, printed, _ = harness(*arguments, "--rows", "mpii/litehrnet-18-*")
    assert (code, printed.splitlines()[-1]) == (0, "1 of 1 runs are equal")
    again = ParityReport.model_validate_json(out.read_text())
    assert [run.id for run in again.runs] == [run.id for run in first.runs]
    assert again.unequal == (damaged,)
    assert again.seconds > first.seconds

    out.write_text(again.model_copy(update={"environment": first.environment | {"commit": "0" * 40}}).model_dump_json())
    harness(*arguments, "--rows", "mpii/litehrnet-18-*")
    assert ParityReport.model_validate_json(out.read_text()).environment["commit"] == "0" * 40
    harness(*arguments, "--rows", "mpii/litehrnet-18-*,mpii/shufflenet-*")  # no earlier run is left
    afresh = ParityReport.model_validate_json(out.read_text())
    assert (afresh.environment, afresh.runs) == (first.environment, first.runs)

    harness(*arguments, "--tflop", 0.02, "--rows", "mpii/litehrnet-18-*")  # the largest bound is on record
    with_more = ParityReport.model_validate_json(out.read_text())
    assert ([run.id for run in with_more.runs], with_more.tflop) == ([run.id for run in first.runs], 0.02)
    harness(*arguments, "--weights", "random:1", "--rows", "mpii/litehrnet-18-*")  # other weights, another comparison
    assert len(ParityReport.model_validate_json(out.read_text()).runs) == 1
    out.write_text("{}")
    code, _, said = harness(*arguments, "--rows", "mpii/litehrnet-18-*")
    assert (code, out.read_text()) == (2, "{}")
    assert "does not contain the outcome of `harness parity`" in said


def test_a_run_that_cannot_be_compared_leaves_the_others(
    harness: Harness, options: list[object], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "mpii").symlink_to(Path(str(options[1])) / "mpii")
    options[1] = data
    out = tmp_path / "parity.json"
    code, printed, said = harness(
        "parity", "--rows", "coco/alexnet-*,mpii/litehrnet-18-*", *options, "--tflop", 0.01, "--out", out, "--json"
    )
    assert code == 3
    assert json.loads(printed) == json.loads(out.read_text())
    report = ParityReport.model_validate_json(printed)
    assert [run.id for run in report.runs] == ["mpii/litehrnet-18-256x256/val"]
    (failure,) = report.failed
    assert failure.id == "coco/alexnet-256x192/val"
    assert "the annotation file is missing" in failure.reason
    assert "1 of 2 runs are equal" in said


def test_unknown_rows_and_data(harness: Harness, options: list[object], tmp_path: Path) -> None:
    assert harness("parity", "--rows", "resnet-51", *options)[0] == 2
    assert harness("parity", "coco", "--data", tmp_path / "none")[0] == 2
