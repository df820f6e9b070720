"""`harness check` through the command line's entry point."""

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.suites.load import BENCHMARKS

REPORT = """\
jhmdb        2 rows, 6 runs, 0 agree, 2 known disagreements
posetrack18  3 rows, 3 runs, 3 agree
all          5 rows, 9 runs, 3 agree, 2 known disagreements

Known disagreements: the published value, then the value in MMPose's metafile
  jhmdb/resnet-50-256x256  PCK(person) 96.0, 95.9
    mean of the runs; the table's means were not taken over the printed splits, and differ by up to this from their
    mean
  jhmdb/cpm-368x368  PCK(torso) 65.7, 65.8
    mean of the runs; the table's means were not taken over the printed splits, and differ by up to this from their
    mean
  posetrack18/hrnet-w48-256x192  AP(elbow) 86.0, 85.1; AP(hip) 80.7, 80.6; AP(knee) 83.3, 82.8; AP(ankle) 80.6, 79.6
    those of HRNet-w32 384x288 on the page
"""

PROBLEMS = """\
aic  2 rows, 2 runs, 0 agree, 3 problems

Problems: the suite's value, then the value that was found
  aic/hrnet-w32-256x192  AP 0.324, 0.323; AR 0.367, 0.366
  aic/resnet-101-256x192  no longer there: AP 0.290, 0.294
    an old checkpoint's
"""


def changed_aic(folder: Path, *changes: tuple[str, str]) -> str:
    text = (BENCHMARKS / "aic.yaml").read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "aic.yaml"
    path.write_text(text)
    return str(path)


def test_known_disagreements_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "jhmdb", "posetrack18"]) == 0
    assert capsys.readouterr() == (REPORT, "")


def test_all_suites_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json"]) == 0
    suites = {suite["name"]: suite for suite in json.loads(capsys.readouterr().out)["suites"]}
    published = ("coco", "mpii", "crowdpose", "aic", "jhmdb", "posetrack18", "humanart")
    assert [sum(suites[name][key] for name in published) for key in ("rows", "runs", "agree", "known")] == [
        74,
        78,
        64,
        10,
    ]
    assert [sum(suite[key] for suite in suites.values()) for key in ("rows", "runs", "agree", "known")] == [
        390,
        420,
        323,
        67,
    ]
    unable = [name for suite in suites.values() for name in suite["cannot_run"]]
    assert unable == [
        "coco-pages/swin-b-fpn-256x192",
        "hand5/rtmpose-m-256x256",
        "ubody/hrnet-w32-256x192",
    ]
    assert suites["coco"]["findings"][0] == {
        "row": "coco/vitpose-h-256x192",
        "status": "known",
        "subject": "AP",
        "stated": "0.790",
        "found": "no value",
        "reason": "the metafile's entry for this config is the checkpoint e32adcd4,"
        " which MMPose trained itself (0.788 / 0.839)",
        "in_table": True,
    }


def test_problems_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = changed_aic(
        tmp_path,
        ("{AP: 0.323, AR: 0.366}", "{AP: 0.324, AR: 0.367}"),
        (
            "{AP: 0.294, AR: 0.337}",
            "{AP: 0.294, AR: 0.337}\n      metafile: {AP: {value: 0.29, refuted: an old checkpoint's}}",
        ),
    )
    assert main(["check", suite]) == 1
    assert capsys.readouterr() == (PROBLEMS, "")
    assert main(["check", suite, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["suites"][0]["agree"] == 0


def test_all_broken_suites_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    changed_aic(tmp_path, ("name: aic", "nam: aic"))
    (tmp_path / "empty.yaml").write_text("")
    assert main(["check", "coco", "aic.yaml", "empty.yaml"]) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error == (
        "error: aic.yaml:2: the suite: the key 'name' is missing\n"
        "aic.yaml:3: nam: unknown key (did you mean name?);"
        " allowed: schema_version, name, title, group, dataset, metrics, rows\n"
        "empty.yaml is empty; a suite begins with `schema_version: 1`\n"
    )


def test_without_mmpose(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["check", "aic"]) == 3
    assert capsys.readouterr().err.startswith("error: mmpose is not installed;")


def test_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json-schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["schema_version", "name", "title", "dataset", "metrics", "rows"]


OWN = """\
schema_version: 1
name: mine
title: Mine
dataset:
  name: AIC
  num_keypoints: 14
  annotations: aic/annotations/aic_val.json
  images: aic/ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
rows:
  - id: net
    label: Net
    input_size: 256x192
    boxes: ground-truth
    published:
      table: {AP: 0.5}
    runs:
      val:
        config: body_2d_keypoint/topdown_heatmap/aic/td-hm_hrnet-w32_8xb64-210e_aic-256x192.py
        checkpoint: {url: net.pth, sha256: "9a129038"}
"""


def check_own(folder: Path, capsys: pytest.CaptureFixture[str], old: str = "", new: str = "") -> tuple[int, str]:
    """Return exit code and output of a check of a changed suite."""
    assert old in OWN
    (folder / "net.pth").write_bytes(b"weights")
    (folder / "mine.yaml").write_text(OWN.replace(old, new, 1))
    code = main(["check", str(folder / "mine.yaml")])
    output, error = capsys.readouterr()
    return code, " ".join((output + error).split())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"9a129038"', '"9a129039"', "checkpoint.sha256 9a129039, 9a129038d9a00aed of the file {folder}/net.pth"),
        ('"9a129038"', '"9a129039"', 'if it is the right file, state sha256: "9a129038d9a00aed"'),
        ("net.pth", "nets/net.pth", "checkpoint.url nets/net.pth, there is no file {folder}/nets/net.pth"),
        ("net.pth", "nets/net.pth", "correct the path, which is relative to the suite's file"),
        (
            'net.pth, sha256: "9a129038"',
            'https://example.org/net.pth, sha256: "00000000"',
            "checkpoint.sha256 00000000, this is the placeholder of a draft",
        ),
        ("aic/annotations/", "to-be-completed/", "annotations to-be-completed/aic_val.json, this is the placeholder"),
    ],
)
def test_unfinished_suites_and_wrong_files_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: str
) -> None:
    assert check_own(tmp_path, capsys)[0] == 0
    code, output = check_own(tmp_path, capsys, old, new)
    assert code == 1
    assert expected.format(folder=tmp_path) in output
    assert "mine/net" in output


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("AP: 0.5", "AP: 55.8", "published.table.AP: found 55.8; as a fraction, AP is at most 1: write 0.558"),
        ("AP: 0.5", "AP: {value: 55.8}", "published.table.AP: found 55.8; as a fraction, AP is at most 1"),
        ("AP: 0.5", "AP: {value: 55.8, refuted: a misprint}", None),
        ("fraction", "percent", None),
    ],
)
def test_claims_out_of_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: str | None
) -> None:
    code, output = check_own(tmp_path, capsys, old, new)
    assert code == (2 if expected else 0)
    if expected:
        assert f"mine.yaml:17: rows[0].{expected}" in output


def test_a_claim_above_all_percents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = OWN.replace("unit: fraction", "unit: percent").replace("AP: 0.5", "AP: 558")
    (tmp_path / "mine.yaml").write_text(text)
    assert main(["check", str(tmp_path / "mine.yaml")]) == 2
    assert "rows[0].published.table.AP: found 558; in percent, AP is at most 100" in capsys.readouterr().err
