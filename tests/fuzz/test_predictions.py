"""External predictions in every container, and our own predictions."""

import functools
import io
import math
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from metrics.measured import score_oks

from harness.errors import RunError
from harness.metrics.families.oks import OksScoring
from harness.metrics.foreign import score_foreign
from harness.metrics.truth import load_truth
from harness.predictions import Predictions
from harness.suites.load import load_suite

from . import seeds
from .damage import changes
from .fuzzing import TIMEOUT, Target, check_metrics, damage_array, damage_text, fuzz

pytestmark = TIMEOUT


suite = functools.cache(load_suite)


@dataclass(frozen=True)
class Foreign:
    """External predictions that are scored under a suite."""

    suite: str
    path: str
    """The predictions, a file or a folder."""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def array(self) -> seeds.Array | None:
        """The keypoints, if they are an array; else None."""
        return {"mpii": seeds.points(2, 16), "jhmdb": seeds.points(4, 15)}.get(self.suite)

    def write(self, folder: Path) -> None:
        data = folder / "data"
        match self.suite:
            case "coco":
                seeds.write_json(data / "coco/annotations/person_keypoints_val2017.json", seeds.annotations(17))
                seeds.write_json(folder / self.path, seeds.results(17))
            case "crowdpose":
                seeds.write_json(data / "crowdpose/annotations/mmpose_crowdpose_test.json", seeds.annotations(14))
                seeds.write_json(folder / self.path, seeds.results(14))
            case "posetrack18":
                seeds.write_json(data / "posetrack18/annotations/posetrack18_val.json", seeds.annotations(17))
                for first, name in ((6, "1.json"), (8, "2.json")):
                    seeds.write_json(data / "posetrack18/annotations/val" / name, seeds.sequence(first, scored=False))
                    seeds.write_json(folder / self.path / name, seeds.sequence(first, scored=True))
            case "mpii":
                seeds.write_json(data / "mpii/annotations/mpii_val.json", seeds.mpii())
                seeds.write_array(data / "mpii/annotations/mpii_gt_val.mat", seeds.headboxes(), "headboxes_src")
            case "jhmdb":
                seeds.write_json(data / "jhmdb/annotations/Sub1_test.json", seeds.annotations(15))
        if self.array is not None:
            seeds.write_array(folder / self.path, self.array)

    def read(self, folder: Path) -> None:
        found = score_foreign(suite(self.suite), folder / self.path, folder / "data", **self.options)
        check_metrics(found.metrics)

    def damage(self, choose: Random, path: Path, whole: bytes) -> None:
        if self.array is None or (path.suffix == ".json" and choose.random() < 0.5):
            damage_text(choose, path, whole)
        else:
            damage_array(choose, path, self.array)

    @property
    def target(self) -> Target:
        files = ("found/1.json", "found/2.json") if self.suite == "posetrack18" else (self.path,)
        return Target(self.write, (self.read,), files, self.damage)


FOREIGN = {
    "COCO results": Foreign("coco", "found.json"),
    "COCO results, rescored": Foreign("coco", "found.json", {"nms": "soft-oks", "score_mode": "bbox_keypoint"}),
    "CrowdPose results": Foreign("crowdpose", "found.json", {"nms": "oks"}),
    "PoseTrack18 sequences": Foreign("posetrack18", "found"),
    "PoseTrack18 sequences, NMS": Foreign("posetrack18", "found", {"nms": "oks"}),
    "npy": Foreign("mpii", "found.npy"),
    "mat": Foreign("mpii", "found.mat"),
    "mat 7.3": Foreign("mpii", "found7.3.mat"),
    "h5": Foreign("mpii", "found.h5"),
    "json": Foreign("mpii", "found.json"),
    "JHMDB npy": Foreign("jhmdb", "found.npy", {"run": "sub1", "one_based": True}),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_predictions_of_others(case: str, tmp_path: Path) -> None:
    fuzz(FOREIGN[case].target, tmp_path)


def write_ours(folder: Path) -> None:
    seeds.write_json(folder / "annotations.json", seeds.annotations(17))
    seeds.predictions(np.array([10, 11]), np.array([7, 6]), 17).save(folder / "predictions.parquet", "key")


def read_ours(folder: Path) -> None:
    path = folder / "predictions.parquet"
    assert isinstance(Predictions.saved_key(path), str | None)
    found = Predictions.load(path)
    count, keypoints = found.keypoint_scores.shape
    assert found.keypoints.shape == (count, keypoints, 2)
    assert found.boxes.shape == (count, 4)
    for one in fields(found):
        values = getattr(found, one.name)
        assert len(values) == count
        assert values.dtype in ((np.int64,) if one.name.endswith("_ids") else (np.float32, np.float64)), one.name
    scoring = OksScoring(sigmas=(0.05,) * 17, area="annotation")
    with suppress(RunError):  # about values, without a file
        check_metrics(score_oks(found, scoring, load_truth(folder / "annotations.json", 17, areas=True)))


def columns(rows: int) -> list[Any]:
    """Return columns with other types than those of the predictions, or with gaps."""
    pairs = {"x": pa.string(), 1.0: pa.float64(), None: pa.float32(), math.nan: pa.float32(), 1e300: pa.float64()}
    flat = [pa.array([value] * rows, kind) for value, kind in pairs.items()]
    flat += [pa.nulls(rows), pa.array([True] * rows), pa.array([2**63] * rows, pa.uint64()), pa.array([b"x"] * rows)]
    lists = [
        pa.array([[value] * size] * rows, pa.list_(kind, size))
        for value, kind in pairs.items()
        for size in (1, 4, 17, 34)
    ]
    odd = [pa.array([None] * rows, pa.list_(pa.float32(), 17)), pa.array([[1.0]] * rows), pa.array([{"a": 1}] * rows)]
    return [*flat, *lists, *odd, flat[1].dictionary_encode()]


def damage_ours(choose: Random, path: Path, whole: bytes) -> None:
    table = pq.read_table(io.BytesIO(whole))
    for _ in changes(choose):
        index = choose.randrange(max(table.num_columns, 1))
        match choose.randrange(8):
            case 0 if table.num_columns:
                table = table.remove_column(index)
            case 1 if table.num_columns:
                names = table.column_names
                names[index] = choose.choice((*names, "", "other"))
                table = table.rename_columns(names)
            case 2:
                table = table.slice(choose.randint(0, 2), choose.randint(0, 2))
            case 3:
                version, key = choose.choice(("1", "2", "", b"\xff", "x" * 300)), choose.choice(("", b"\xff", "k"))
                table = table.replace_schema_metadata(choose.choice(({"schema_version": version, "key": key}, None)))
            case 4 if table.num_columns:
                table = pa.concat_tables([table, table])
            case _ if table.num_columns:
                table = table.set_column(index, table.column_names[index], choose.choice(columns(table.num_rows)))
    pq.write_table(table, path)


def test_our_predictions(tmp_path: Path) -> None:
    fuzz(Target(write_ours, (read_ours,), ("predictions.parquet",), damage_ours), tmp_path)
