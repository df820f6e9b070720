"""`harness list` through the command line's entry point."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import VERBS, main
from harness.record import Record

SUITE = """\
schema_version: 1
name: mine
title: My table
dataset: {name: CrowdPose, num_keypoints: 14, annotations: crowd/test.json, images: crowd/images, boxes: crowd/det.json}
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
  AR: {label: AR, unit: fraction, decimals: 3}
  AR@0.75: {label: AR@0.75, unit: fraction, decimals: 3}
rows:
  - id: small-256x192
    label: Big
    label_note: it is the small one
    input_size: 256x192
    boxes: detector
    published:
      table:
        AP: 0.65
        AR@0.75: {value: 0.8, published_as: AR, refuted: another row's}
      history: {AR@0.75: {value: 0.796, published_as: AR}}
    runs: &runs
      val: {config: a.py, checkpoint: {url: https://example.com/a.pth, sha256: "01234567"}}
  - id: big-384x288-gt
    label: Big
    input_size: 384x288
    boxes: ground-truth
    published: {table: {AP: 0.7, AR: 0.75}}
    runs: *runs
"""

BODY = "body_2d_keypoint/topdown_heatmap"

LISTED = """\
My table

  row                  label  boxes            AP     AR  AR@0.75  state
  mine/small-256x192   Big    detector      0.650      -    0.800  not run
      label: it is the small one
      AR@0.75 is printed as AR
      AR@0.75 0.800 is wrong, 0.796 (history) is right: another row's
  mine/big-384x288-gt  Big    ground-truth  0.700  0.750        -  not run

2 rows, 2 runs
"""


@pytest.fixture
def own_suite(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE)
    return str(path)


def test_small_suite(own_suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", own_suite]) == 0
    assert capsys.readouterr() == (LISTED, "")


def test_all_suites_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--rows", "*/*"]) == 0
    output = capsys.readouterr().out
    assert main(["list"]) == 0
    assert capsys.readouterr().out == output
    assert "coco/hrnet-w32-256x192" in output
    assert "humanart/vitpose-s-256x192-gt" in output


def test_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "hand", "rhd", "cofw"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("hand", "face")] == ["hand", "face"]
    assert lines[-5:] == [
        "hand  coco-wholebody-hand 7, coco-wholebody-hand-rtmpose 2, freihand 1, hand5 1, onehand10k 5, "
        "onehand10k-regression",
        "      1, rhd 5, rhd-regression 1",
        "face  cofw 1",
        "",
        "24 rows, 24 runs",
    ]
    assert main(["list", "fashion"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Results on DeepFashion val set"  # a single group gets no heading
    assert lines[-1] == "19 rows, 19 runs"


def test_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    groups = ("body", "wholebody", "hand", "face", "animal", "fashion", "other")
    assert [line for line in lines if line in groups] == [*groups]
    assert lines[-3:] == ["other      demo 6", "", "390 rows, 420 runs; 6 rows of the demo, 6 runs"]
    assert main(["list", "all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "390 rows, 420 runs"


def test_a_group_is_no_suite(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["score", "fashion", "--predictions", str(tmp_path / "x.json"), "--data", str(tmp_path)]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        "error: fashion is a group of suites, but one suite is needed here\n"
        "  choose one of its suites: deepfashion, deepfashion2\n"
    )


def test_runs_with_config_weights_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert len(rows) == 390 + 6
    # The demo's networks are files next to it, and the data of all rows have a source.
    for name, row in rows.items():
        for run in row["runs"].values():
            assert run["config"].endswith(".py")
            assert run["checkpoint"]["url"]
            places = [source["urls"] or source["page"] for source in run["sources"]]
            assert len(places) >= 2, name
            assert all(places) or name.startswith("demo/")
    assert rows["humanart-pages/vitpose-s-coco-256x192-gt"]["runs"]["val"] == {
        "config": f"{BODY}/coco/td-hm_ViTPose-small_8xb64-210e_coco-256x192.py",
        "evaluated_like": f"{BODY}/humanart/td-hm_ViTPose-small_8xb64-210e_humanart-256x192.py",
        "checkpoint": {
            "url": f"https://download.openmmlab.com/mmpose/v1/{BODY}/coco/"
            "td-hm_ViTPose-small_8xb64-210e_coco-256x192-62d7a712_20230314.pth",
            "sha256": "62d7a712",
            "hash_is_stale": None,
        },
        "data": ["HumanArt/annotations/validation_humanart.json", "."],
        "sources": [
            {"path": path, "data_set": "humanart", "urls": [], "page": "https://forms.gle/UVv1GiNJNQsE4qif7"}
            for path in ("HumanArt/annotations/validation_humanart.json", "HumanArt/images")
        ],
    }


def test_rows_across_suites(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--rows", "cpm-368x368", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["id"] for row in rows] == ["jhmdb/cpm-368x368", "mpii/cpm-368x368"]
    assert list(rows[0]["runs"]) == ["sub1", "sub2", "sub3"]
    assert {claim["run"] for claim in rows[0]["claims"]} == {None, "sub1", "sub2", "sub3"}


def test_no_row_matches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "coco", "mpii", "--rows", "hrnet"]) == 2
    assert capsys.readouterr() == ("", "error: no row matches hrnet\n  harness list shows all rows\n")


def test_no_row_of_an_own_suite_matches(own_suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", own_suite, "--rows", "x*"]) == 2
    hint = f"harness list {Path(own_suite).as_posix()} shows its rows"
    assert capsys.readouterr() == ("", f"error: no row of mine matches x*\n  {hint}\n")


def test_unknown_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "ccoo", "--json"]) == 2
    output, error = capsys.readouterr()
    assert output == ""
    own = "your own suite: the path of your own YAML file, such as mine.yaml, whose rows are mine.yaml/ROW"
    assert error == f"error: unknown suite: ccoo (did you mean coco?)\n  {own}\n"
    assert main(["list", "xyz"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown suite: xyz\n  suites: 300w, ")


@pytest.mark.parametrize("arguments", [["lst"], ["list", "--row", "x"], ["list", "--no-such-option"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("Usage: harness")


def test_states_come_from_the_records(own_suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(suite="mine", row="small-256x192", run="val", label="Big", status="failed", verdict="failed")
    record.save(tmp_path / "runs" / "mine" / "small-256x192" / "val" / "record.json")
    assert main(["list", own_suite, "--out", str(tmp_path / "runs"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["id"]: row["state"] for row in rows} == {
        "mine/small-256x192": "failed",
        "mine/big-384x288-gt": "not run",
    }


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.list.select", interrupt)
    assert main(["list", "coco"]) == 130


def test_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cli.list.select", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["list", "coco"])


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    assert all(f"\n  {verb} " in output for verb in VERBS)
    assert main(["list", "--help"]) == 0
    assert VERBS["list"] in capsys.readouterr().out


def test_process_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "harness", "list", "coco"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("\n41 rows, 41 runs\n")
    imported = {line.rsplit("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pydantic" in imported
    assert not imported & {"torch", "numpy", "mmengine", "mmpose", "rich", "pandas", "pyarrow", "cv2"}


def test_process_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "list", "nothing"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
