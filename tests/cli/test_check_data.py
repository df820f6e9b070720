"""`harness check --data` through the command line's entry point."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Harness

REPORT = """\
suite        annotation file                                   images       on disk  annotated  people  boxes  used
aic          aic/annotations/aic_val.json                      3 of 30,000  3        9          9
crowdpose    crowdpose/annotations/mmpose_crowdpose_test.json  3 of 8,000   3        9          8       16     16
posetrack18  posetrack18/annotations/posetrack18_val.json      4            4        10         10

Warnings
  aic/annotations/aic_val.json: 3 of 30,000 images: a part of the data set
    runs of it are not comparable with published numbers
  crowdpose/annotations/mmpose_crowdpose_test.json: 3 of 8,000 images: a part of the data set
    runs of it are not comparable with published numbers

Notes
  posetrack18/annotations/posetrack18_val.json: annotation 1000303000003: keypoints: labelled outside of the image
    harmless for few people at the border
  posetrack18/annotations/val: 3 videos, a part of the data set: version 0.2 has 74, version 0.45 has 170
    complete it for published numbers
"""

BROKEN = """\
suite  annotation file               images       on disk  annotated  people  boxes  used
aic    aic/annotations/aic_val.json  3 of 30,000  2        9          9

Error
  aic/ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911: image
    0a4d9ce9201beffc76e5ff2169d2af2f027002ca.jpg: missing, 1 of 3
    put them there; `harness run` does not start without them

Warning
  aic/annotations/aic_val.json: 3 of 30,000 images: a part of the data set
    runs of it are not comparable with published numbers
"""

ABSENT = """\
suite      annotation file                                   images       on disk  annotated  people  boxes  used
aic        aic/annotations/aic_val.json                      3 of 30,000  3        9          9
crowdpose  crowdpose/annotations/mmpose_crowdpose_test.json  not there

Error
  crowdpose/annotations/mmpose_crowdpose_test.json: not found, nor any other file of CrowdPose
    name another folder with --data DIR, or put the data set there

Warning
  aic/annotations/aic_val.json: 3 of 30,000 images: a part of the data set
    runs of it are not comparable with published numbers
"""


@pytest.fixture
def aic(samples: Path, tmp_path: Path) -> Path:
    """Return a data folder with AIC only."""
    folder = tmp_path / "data"
    shutil.copytree(samples / "aic", folder / "aic", copy_function=shutil.copyfile)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def test_miniature(harness: Harness, samples: Path) -> None:
    assert harness("check", "aic", "crowdpose", "posetrack18", "--data", samples, "--images") == (0, REPORT, "")


def test_errors(harness: Harness, aic: Path) -> None:
    next(aic.rglob("0a4d9ce9*.jpg")).unlink()
    assert harness("check", "aic", "--data", aic) == (3, BROKEN, "")


def test_a_named_suite_must_be_there(harness: Harness, aic: Path) -> None:
    assert harness("check", "aic", "crowdpose", "--data", aic) == (3, ABSENT, "")


def test_without_names_what_is_there_is_enough(
    harness: Harness, aic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.check.published_suites", lambda: ["aic", "crowdpose"])
    code, output, _ = harness("check", "--data", aic)
    assert (code, "Error" in output, "not there" in output) == (0, False, True)
    (tmp_path / "empty").mkdir()
    code, output, _ = harness("check", "--data", tmp_path / "empty")
    assert (code, output.count("not found, nor any other file of")) == (3, 2)


def test_json(harness: Harness, aic: Path) -> None:
    next(aic.rglob("0a4d9ce9*.jpg")).write_bytes(b"")
    code, output, error = harness("check", "aic", "crowdpose", "--data", aic, "--json")
    document = json.loads(output)
    assert (code, error) == (3, "")
    assert {key: document[key] for key in ("schema_version", "errors", "warnings")} == {
        "schema_version": 1,
        "errors": 2,
        "warnings": 1,
    }
    there, absent = document["data"]
    assert (there["suite"], there["there"], there["expected"]["images"]) == ("aic", True, 30000)
    assert there["found"] == {"images": 3, "on_disk": 3, "annotations": 9, "people": 9, "sequences": None, "boxes": []}
    assert there["problems"][0] == {
        "severity": "error",
        "file": "aic/ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911",
        "text": "an empty file",
        "advice": "export or extract the images again",
        "field": None,
        "what": "image",
        "ids": ["0a4d9ce9201beffc76e5ff2169d2af2f027002ca.jpg"],
    }
    assert (absent["suite"], absent["there"], absent["problems"]) == ("crowdpose", False, [])


def test_wrong_usage(harness: Harness, tmp_path: Path) -> None:
    assert harness("check", "--images") == (
        2,
        "",
        "error: --images needs a data folder\n  name it with --data DIR\n",
    )
    code, output, error = harness("check", "aic", "--data", tmp_path / "nowhere")
    assert (code, output) == (2, "")
    assert error.startswith(f"error: the data folder {tmp_path / 'nowhere'} does not exist\n")
