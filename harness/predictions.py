"""Predictions: the output of `predict` and the input of `score`, saved in compressed, columnar files (Parquet)."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.arrays import Bool, Float32, Floating, Indices, Int64
from harness.errors import ObtainError, brief
from harness.files import atomic_path

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Predictions:
    """Keypoints and scores of N people with K keypoints each, in the order in which the people were listed."""

    person_ids: Int64
    """[N] annotation id (ground-truth boxes) or index in the box file (detections)."""
    image_ids: Int64
    """[N]"""
    boxes: Float32
    """[N, 4] x1, y1, x2, y2 in image px, before padding."""
    box_scores: Float32
    """[N] detector score; 1 for ground-truth boxes."""
    crop_areas: Float32
    """[N] area of the padded crop region, px²; MMPose's OKS-NMS takes it as the person's scale."""
    keypoints: Floating
    """[N, K, 2] x, y in image px; float32 or float64, depending on the decoder."""
    keypoint_scores: Float32
    """[N, K]"""

    def __len__(self) -> int:
        return len(self.person_ids)

    @property
    def sizes(self) -> Float32:
        """[N, 2] widths and heights of the boxes, image px."""
        sizes: Float32 = self.boxes[:, 2:] - self.boxes[:, :2]
        return sizes

    def where(self, chosen: Bool | Indices) -> "Predictions":
        """Return the predictions of the chosen people: a mask [N], or indices [n], whose order is kept."""
        return Predictions(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def of_images(self, image_ids: Collection[int]) -> "Predictions":
        """Return the predictions of the people in the given images."""
        return self.where(np.isin(self.image_ids, list(image_ids)))

    def save(self, path: Path, key: str) -> None:
        """Write to a Parquet file atomically; `key` identifies the inputs that the predictions were made from."""
        flat: dict[str, NDArray[Any]] = {
            "person_id": self.person_ids,
            "image_id": self.image_ids,
            "box_score": self.box_scores,
            "crop_area": self.crop_areas,
        }
        nested = {"box": self.boxes, "keypoints": self.keypoints, "keypoint_scores": self.keypoint_scores}
        columns = {name: _column(values) for name, values in flat.items()}
        for name, values in nested.items():
            rows = values.reshape(len(self), -1) if len(self) else values.reshape(0, int(np.prod(values.shape[1:])))
            columns[name] = pa.FixedSizeListArray.from_arrays(_column(rows.ravel()), rows.shape[1])
        table = pa.table(columns).replace_schema_metadata({"schema_version": str(SCHEMA_VERSION), "key": key})
        with atomic_path(path) as part:
            pq.write_table(table, part, compression="zstd")

    @staticmethod
    def saved_key(path: Path) -> str | None:
        """Return the key that a file was saved with; None if the file is missing, damaged or of another schema."""
        if not path.is_file():
            return None
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError, ValueError):
            return None
        if metadata.get(b"schema_version") != str(SCHEMA_VERSION).encode():
            return None
        return metadata.get(b"key", b"").decode(errors="replace") or None

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a file that `save` wrote.

        Raises:
            ObtainError: The file is missing, damaged or of another schema version.
        """
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            raise ObtainError(f"predictions are missing: {path}", "make them with `harness run`") from None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ObtainError(f"predictions cannot be read: {path}: {error}") from error
        version = (table.schema.metadata or {}).get(b"schema_version", b"?").decode(errors="replace")
        if version != str(SCHEMA_VERSION):
            raise ObtainError(f"predictions have schema version {brief(version)}, not {SCHEMA_VERSION}: {path}")
        _check_columns(table, path)

        def nested(name: str) -> Floating:
            column = table[name].combine_chunks()
            values: Floating = column.flatten().to_numpy(zero_copy_only=False)
            return values.reshape(len(table), column.type.list_size)

        keypoint_scores = nested("keypoint_scores")
        return cls(
            person_ids=table["person_id"].to_numpy(),
            image_ids=table["image_id"].to_numpy(),
            boxes=nested("box").astype(np.float32, copy=False),
            box_scores=table["box_score"].to_numpy(),
            crop_areas=table["crop_area"].to_numpy(),
            keypoints=nested("keypoints").reshape(*keypoint_scores.shape, 2),
            keypoint_scores=keypoint_scores.astype(np.float32, copy=False),
        )


def _column(values: NDArray[Any]) -> pa.Array:
    """Wrap an array [N]; `pa.array` would first import pandas, which takes half a second, to check its type."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _check_columns(table: pa.Table, path: Path) -> None:
    """Check that a file has the columns that `save` writes.

    Raises:
        ObtainError: A column is missing, has another type or has empty cells; the message names the first one.
    """
    keypoints = _list_size(table, "keypoint_scores")
    if keypoints is None:
        raise ObtainError(f"predictions are damaged: {path}: the column keypoint_scores is not lists of numbers")
    for name, size in (("box", 4), ("keypoints", 2 * keypoints)):
        if _list_size(table, name) != size:
            raise ObtainError(f"predictions are damaged: {path}: the column {name} is not lists of {size} numbers")
    for name in ("person_id", "image_id", "box_score", "crop_area"):
        wanted = pa.int64() if name.endswith("_id") else pa.float32()
        index = table.schema.get_field_index(name)
        if index < 0 or table.schema.types[index] != wanted or table[index].null_count:
            raise ObtainError(f"predictions are damaged: {path}: the column {name} is not of type {wanted}")


def _list_size(table: pa.Table, name: str) -> int | None:
    """Return the length of a column's lists; None if the column is not complete lists of numbers of one length."""
    index = table.schema.get_field_index(name)
    if index < 0:
        return None
    column, kind = table[index], table.schema.types[index]
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
        return None
    filled = not column.null_count and not column.combine_chunks().flatten().null_count
    return int(kind.list_size) if filled else None
