"""`harness bench` through its real entry point."""

import json
from pathlib import Path

import pytest
from conftest import Harness

from harness.speed.outcome import BenchReport

RATIOS = {
    "prepare",
    "decode",
    "score",
    "ten_rows",
    "ten_rows_besides_network",
    "wall_over_forward",
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rounds small."""
    monkeypatch.setattr("harness.cli.bench.DECODED_PEOPLE", 3)
    monkeypatch.setattr("harness.cli.bench.PREPARED_IMAGES", 1)


def test_parts_go_into_one_outcome(harness: Harness, samples: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "new" / "bench.json", tmp_path / "bench.md"
    files = ("--out", out, "--markdown", page)
    code, printed, _ = harness("bench", "--data", samples, "--only", "decode", "--rounds", 2, *files)
    assert code == 0
    first = json.loads(out.read_text())
    assert set(first) >= {"machine", "ratios", "memory_growth_mb", "details"}
    assert set(first["ratios"]) == RATIOS
    assert (first["memory_growth_mb"], first["ratios"]["score"]) == (None, None)
    rounds = first["details"]["decode"]["udp"]["comparison"]["ratio"]["rounds"]
    assert len(rounds) == 2
    assert first["ratios"]["decode"]["udp"] == pytest.approx(sum(rounds) / 2)
    assert first["machine"]["packages"]["torch"]
    assert first["machine"]["cores"] >= 1
    assert f"decode_udp {first['ratios']['decode']['udp']:>23.2f}" in printed

    code, printed, _ = harness("bench", "--data", samples, "--only", "prepare", "--rounds", 1, "--json", *files)
    assert code == 0
    both = json.loads(out.read_text())
    assert json.loads(printed) == both
    assert both["details"]["decode"] == first["details"]["decode"]
    assert both["ratios"]["prepare"] > 0
    assert BenchReport.model_validate(both)
    assert "boxes to batches of crops" in page.read_text()
    assert "heatmaps to keypoints, megvii" in page.read_text()


def test_a_result_that_differs(
    harness: Harness, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.speed.decode.KEYPOINT_TOLERANCE", -1)
    out = tmp_path / "bench.json"
    code, _, said = harness("bench", "--data", samples, "--only", "prepare,decode", "--rounds", 1, "--out", out)
    assert code == 1
    assert "decode FAILED: dark: a decoded keypoint differs" in said
    ratios = json.loads(out.read_text())["ratios"]
    assert ratios["prepare"] > 0  # the other part was measured
    assert ratios["decode"] is None


def test_another_machine(harness: Harness, samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    arguments = ("bench", "--data", samples, "--only", "decode", "--rounds", 1, "--out", out)
    assert harness(*arguments)[0] == 0
    written = json.loads(out.read_text())
    written["machine"]["cpu"] = "Another CPU"
    out.write_text(json.dumps(written))
    code, _, said = harness(*arguments)
    assert (code, json.loads(out.read_text())) == (2, written)
    assert "was measured on another machine" in said
    out.write_text("{}")
    code, _, said = harness(*arguments)
    assert (code, out.read_text()) == (2, "{}")
    assert "does not contain the outcome of `harness bench`" in said


def test_a_gpu_is_measured_alone(harness: Harness, samples: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "gpu.json", tmp_path / "gpu.md"
    chosen = ("--only", "gpu", "--device", "cpu", "--rows", "alexnet-*", "--minutes", 1e-6)
    code, printed, said = harness("bench", "--data", samples, *chosen, "--out", out, "--markdown", page, "--json")
    assert code == 0
    report = json.loads(out.read_text())
    assert json.loads(printed) == report
    assert "crops" in report["left_out"]
    assert "not measured" in said
    assert "- decoders: no time was left" in page.read_text()


def test_missing_data(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, said = harness("bench", "--data", tmp_path / "empty", "--only", "prepare")
    assert code == 3
    assert "prepare FAILED: the annotation file is missing" in said


def test_wrong_usage(harness: Harness, samples: Path, tmp_path: Path) -> None:
    assert harness("bench", "--data", tmp_path / "none")[0] == 2
    assert harness("bench", "--data", samples, "--only", "decoding")[0] == 2
    assert harness("bench", "--data", samples, "--only", "decode,gpu")[0] == 2
    assert harness("bench", "--data", samples, "--only", "decode", "--device", "cpu")[0] == 2
    assert harness("bench", "--data", samples, "--only", "prepare", "--row", "resnet-51")[0] == 2
    assert harness("bench", "--data", samples, "--only", "prepare", "--row", "resnet-*")[0] == 2
