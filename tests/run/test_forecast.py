"""The forecast of a run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Harness
from miniature import coco

from harness.assets.cache import cache_folder
from harness.run.forecast import forecast
from harness.run.plan import Settings
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Row, Suite

ROWS = "alexnet-*,shufflenet-v1-*"
BOXES = [count for *_, count in coco.PLAN]
ALL, (FIRST, SECOND, *_) = sum(BOXES), BOXES
"""Boxes in all images, in the first one and in the second one."""


def rows(glob: str) -> list[tuple[Suite, Row]]:
    suite = load_suite("coco")
    return [(suite, row) for row in select_rows(suite, glob)]


def test_people_and_time(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert forecast(rows(ROWS), settings).seconds is None  # too short for a measurement
    monkeypatch.setattr("harness.run.forecast.LONG", ALL - 1)
    one, two = forecast(rows("alexnet-*"), settings), forecast(rows(ROWS), settings)
    assert (one.people, two.people) == (ALL, 2 * ALL)
    assert one.missing == two.missing == []
    assert one.seconds is not None
    assert two.seconds is not None
    assert 0.5 < one.seconds < 600
    assert forecast(rows(ROWS), replace(settings, limit=1)).people == 2 * FIRST

    memory = cache_folder() / "network_sizes.json"
    counted = json.loads(memory.read_text())
    assert len(counted) == 2
    memory.write_text(json.dumps({key: value | {"gflop": 10 * value["gflop"]} for key, value in counted.items()}))
    monkeypatch.setattr("harness.predict.sources.mmpose.count_flops", None)  # operations are not counted twice
    assert forecast(rows(ROWS), settings).people == 2 * ALL
    monkeypatch.undo()
    monkeypatch.setenv("HARNESS_CACHE", str(memory.parent))
    monkeypatch.setattr("harness.run.forecast.LONG", ALL - 1)
    memory.write_text("{")
    assert forecast(rows(ROWS), settings).seconds is not None
    assert json.loads(memory.read_text()) == counted


def test_nothing_there_yet(settings: Settings, tmp_path: Path) -> None:
    """Published sizes replace the missing data; no file changes."""
    ahead = forecast(rows("alexnet-*"), replace(settings, data=tmp_path / "data", seed=None, fetch=True))
    assert ahead.people == 104125
    assert ahead.seconds is not None
    assert [item.name for item in ahead.missing] == [
        "coco/annotations/person_keypoints_val2017.json",
        "coco/val2017",
        "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json",
        "alexnet_coco_256x192-a7b1fd15_20200727.pth",
    ]
    assert list(tmp_path.iterdir()) == []


def test_said_before_the_rows(harness: Harness, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.run.forecast.LONG", 20)
    code, _, err = harness("run", "coco", "--rows", "alexnet-*", "--data", samples, "--limit", 1)
    assert code == 3  # the checkpoint cannot be obtained
    fetch, do = err.splitlines()
    assert fetch == "1 to download: 1 of unknown size (`harness fetch coco --dry-run` lists them)"
    about = r"about [\d.]+ (seconds|minutes) on cpu"
    assert re.fullmatch(rf"to do: up to {FIRST} people, {about}; --rows GLOB or --limit N evaluates a part", do)


def test_what_is_done_is_not_to_do(
    harness: Harness, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither counted nor measured again, unless more images or other weights are requested."""
    monkeypatch.setattr("harness.run.forecast.LONG", 20)
    places = ("--data", samples, "--out", tmp_path, "--offline")

    def to_do(weights: str, limit: int) -> list[str]:
        *_, err = harness("run", "coco", "--rows", "alexnet-*", *places, "--weights", weights, "--limit", limit)
        return re.findall(r"to do: up to (\d+) people", err)

    assert to_do("random:0", 1) == [str(FIRST)]
    assert to_do("random:0", 1) == []
    assert to_do("random:1", 1) == [str(FIRST)]
    assert to_do("random:1", 2) == [str(FIRST + SECOND)]
