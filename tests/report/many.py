"""As many and as different suites as the published ones, with generated rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from harness.measures import Measure
from harness.plugins import plugins
from harness.suites.load import load_suite
from harness.suites.schema import Suite

CONFIG = "body_2d_keypoint/topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py"
COCO = ("AP", "AP@0.5", "AP@0.75", "AR", "AR@0.5")
CROWD = ("AP", "AP@0.5", "AP@0.75", "AP(E)", "AP(M)", "AP(H)")
PCK = ("PCK@0.2", "AUC", "EPE")
WHOLE = tuple(f"{name}({part})" for part in ("body", "foot", "face", "hand", "whole") for name in ("AP", "AR"))
WFLW = ("test", "pose", "illumination", "occlusion", "blur", "makeup", "expression")
FORMS = {"EPE": ("px", 1), "NME": ("percent", 2)}
"""Unit and decimals of metrics that are not fractions with three decimals."""
MEASURES = (
    {name: Measure() for name in (*PCK[:2], "PCK@0.05", *WHOLE)}
    | {"EPE": Measure("px", "lower", 1)}
    | {"NME": Measure(better="lower", decimals=4)}
)
"""Measures of metric families that may not be installed."""


@dataclass(frozen=True)
class Table:
    """The specification of a suite."""

    name: str
    group: str
    dataset: str
    rows: int
    metrics: Sequence[str] = COCO
    runs: Sequence[str] = ("val",)
    keypoints: int = 17
    subsets: bool = False
    """Whether its runs are subsets with their own values, and no mean."""


TABLES = (
    Table("aic", "body", "AI Challenger", 2, keypoints=14),
    Table("coco", "body", "COCO", 41),
    Table("coco-pages", "body", "COCO", 86),
    Table("crowdpose", "body", "CrowdPose", 4, CROWD, keypoints=14),
    Table("crowdpose-pages", "body", "CrowdPose", 2, CROWD, keypoints=14),
    Table("exlpose", "body", "ExLPose", 1, keypoints=14),
    Table("humanart", "body", "Human-Art", 4),
    Table("humanart-pages", "body", "Human-Art", 20),
    Table("jhmdb", "body", "JHMDB", 2, ("PCK(person)", "PCK(torso)"), ("sub1", "sub2", "sub3"), 15),
    Table("jhmdb-pages", "body", "JHMDB", 1, ("PCK(person)", "PCK(torso)"), ("sub1", "sub2", "sub3"), 15),
    Table("mpii", "body", "MPII", 18, ("PCKh@0.5", "PCKh@0.1"), keypoints=16),
    Table("mpii-pages", "body", "MPII", 7, ("PCKh@0.5", "PCKh@0.1"), keypoints=16),
    Table("posetrack18", "body", "PoseTrack18", 3),
    Table("posetrack18-pages", "body", "PoseTrack18", 6),
    Table("coco-wholebody", "wholebody", "COCO-WholeBody", 18, WHOLE, keypoints=133),
    Table("ubody", "wholebody", "UBody", 1, WHOLE, keypoints=133),
    Table("coco-wholebody-hand", "hand", "COCO-WholeBody-Hand", 7, PCK, keypoints=21),
    Table("freihand", "hand", "FreiHand", 1, PCK, keypoints=21),
    Table("onehand10k", "hand", "OneHand10K", 5, PCK, keypoints=21),
    Table("rhd", "hand", "RHD", 5, PCK, keypoints=21),
    Table("300w", "face", "300W", 1, ("NME",), ("full", "common", "challenge", "test"), 68, subsets=True),
    Table("300wlp", "face", "300W-LP", 1, ("NME",), keypoints=68),
    Table("aflw", "face", "AFLW", 2, ("NME",), ("full", "frontal"), 19, subsets=True),
    Table("coco-wholebody-face", "face", "COCO-WholeBody-Face", 6, ("NME",), keypoints=68),
    Table("cofw", "face", "COFW", 1, ("NME",), keypoints=29),
    Table(
        "wflw",
        "face",
        "WFLW",
        3,
        ("NME",),
        WFLW,
        98,
        subsets=True,
    ),
    Table("animalkingdom", "animal", "Animal Kingdom", 7, ("PCK@0.05",), keypoints=23),
    Table("animalpose", "animal", "Animal-Pose", 5, keypoints=20),
    Table("ap10k", "animal", "AP-10K", 5),
    Table("locust", "animal", "Desert Locust", 3, PCK, keypoints=35),
    Table("zebra", "animal", "Grévy\N{RIGHT SINGLE QUOTATION MARK}s Zebra", 3, PCK, keypoints=9),
    Table("deepfashion", "fashion", "DeepFashion", 6, PCK, keypoints=8),
    Table("deepfashion2", "fashion", "DeepFashion2", 13, PCK, keypoints=294),
)


def write_suites(folder: Path, tables: Sequence[Table] = TABLES) -> list[Suite]:
    """Write one suite file per table, and load them."""
    return [load_suite(write_suite(folder, table)) for table in tables]


def write_suite(folder: Path, table: Table) -> Path:
    """Write one suite file."""
    document: dict[str, Any] = {
        "schema_version": 1,
        "name": table.name,
        "group": table.group,
        "title": f"Results on {table.dataset} val set",
        "dataset": {
            "name": table.dataset,
            "num_keypoints": table.keypoints,
            "annotations": f"{table.name}/val.json",
            "images": f"{table.name}/images",
            "boxes": f"{table.name}/boxes.json",
        },
        "metrics": {name: _form(name) for name in table.metrics},
        "rows": list(_rows(table)),
    }
    path = folder / f"{table.name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _form(metric: str) -> dict[str, Any]:
    unit, decimals = FORMS.get(metric, ("fraction", 3))
    return {"label": metric, "unit": unit, "decimals": decimals}


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    for number in range(table.rows):
        size = ("256x192", "384x288", "256x256")[number % 3]
        runs: dict[str, Any] = {
            run: {
                "config": CONFIG,
                "checkpoint": {"url": f"https://example.org/{table.name}-{number}-{run}.pth", "sha256": "0a1b2c3d"},
            }
            for run in table.runs
        }
        row = {
            "id": f"network-{number}-{size}",
            "label": f"Network {number}",
            "input_size": size,
            "boxes": "detector" if number % 4 else "ground-truth",
            "runs": runs,
        }
        if table.subsets:
            row["runs_are"] = "subsets"
            for at, run in enumerate(runs.values()):
                run["published"] = {"table": _values(table, number + 2 * at)}
        else:
            row["published"] = {"table": _values(table, number)}
        yield row


def _values(table: Table, number: int) -> dict[str, float]:
    low = {"px": 5.0, "percent": 4.0, "fraction": 0.7}
    values = {}
    for at, name in enumerate(table.metrics):
        unit, decimals = FORMS.get(name, ("fraction", 3))
        values[name] = round(low[unit] * (1 + 0.004 * (number % 40) - 0.03 * at), decimals)
    return values


@contextmanager
def measured() -> Iterator[None]:
    """Make all metrics of the tables known, also those whose family is not installed."""
    more = {**plugins("metrics"), "made up": SimpleNamespace(measures=MEASURES, measure=MEASURES.get)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.measures.plugins", lambda _: more)
        yield
