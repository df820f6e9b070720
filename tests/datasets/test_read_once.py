"""A file is parsed once per process, and again after it has changed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Harness

from harness.datasets.box_file import read_boxes
from harness.datasets.coco_file import read_coco
from harness.datasets.posetrack_files import read_posetrack
from harness.datasets.read_once import KEPT
from harness.errors import ObtainError

ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"


def write(path: Path, document: Any, seconds: float) -> Path:
    """Write JSON with a modification time."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    os.utime(path, (seconds, seconds))
    return path


def annotated(*ids: int) -> dict[str, Any]:
    return {"images": [{"id": image, "file_name": f"{image}.jpg"} for image in ids], "annotations": []}


def test_a_file_is_read_again_after_a_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", annotated(1), 1000)
    first = read_coco(path)
    assert read_coco(path) is first
    write(path, annotated(2), 2000)
    assert read_coco(path).images.ids.values.tolist() == [2]
    path.unlink()
    with pytest.raises(ObtainError, match=r"the annotation file is missing: .*a\.json"):
        read_coco(path)


def test_a_file_that_was_just_written_is_not_kept(tmp_path: Path) -> None:
    """Its next change may get the same time, because clocks of file systems have steps of milliseconds."""
    path = tmp_path / "a.json"
    for image in range(50):
        path.write_text(json.dumps(annotated(image % 10)))
        assert read_coco(path).images.ids.values.tolist() == [image % 10]


def test_few_files_are_kept(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.json", annotated(n), 1000) for n in range(KEPT + 1)]
    first = [read_coco(path) for path in paths]
    assert read_coco(paths[-1]) is first[-1]
    assert read_coco(paths[0]) is not first[0]


def test_nothing_is_kept_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [], 1000)
    for _ in range(2):
        with pytest.raises(ObtainError, match=r"a\.json: it is not an object"):
            read_coco(path)


def test_a_folder_is_read_again_after_a_change_of_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "val"
    write(folder / "a.json", annotated(1), 1000)
    write(folder / "b.json", annotated(2), 1000)
    first = read_posetrack(folder)
    assert read_posetrack(folder) is first
    write(folder / "b.json", annotated(3), 2000)
    assert [file.read().image_ids.values.tolist() for file in read_posetrack(folder)] == [[1], [3]]


def test_what_is_shared_cannot_be_changed(samples: Path) -> None:
    coco = read_coco(samples / ANNOTATIONS)
    boxes = read_boxes(next((samples / "coco" / "person_detection_results").glob("*.json")))
    for array in (coco.images.ids.values, coco.annotations.keypoints.values, boxes.boxes.values, boxes.scores.given):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_coco_run_parses_its_annotations_once(
    harness: Harness, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People, completeness, person AP, ground truth, intervals and diagnosis share one reader."""
    data = tmp_path / "data"
    for path in (*samples.glob("coco/*/*.json"), *samples.glob("coco/val2017/*")):
        copy = data / path.relative_to(samples)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (1000, 1000))
    parsed: list[str] = []
    loads = json.loads

    def counted(text: Any, *args: Any, **options: Any) -> Any:
        document = loads(text, *args, **options)
        if isinstance(document, dict) and {"images", "annotations"} <= document.keys():
            parsed.append("annotations")
        if isinstance(document, list) and document and isinstance(document[0], dict) and "bbox" in document[0]:
            parsed.append("boxes")
        return document

    monkeypatch.setattr(json, "loads", counted)
    code, out, err = harness(
        *("run", "coco", "--rows", "coco/alexnet-256x192", "--data", data, "--weights", "random:0"),
        *("--device", "cpu", "--limit", 4, "--offline"),
    )
    assert code == 0, out + err
    folder = Path("runs/coco/alexnet-256x192/val")
    assert {"record.json", "diagnosis.json"} <= {path.name for path in folder.iterdir()}
    assert loads((folder / "record.json").read_bytes())["metrics"]["AP"] is not None
    assert sorted(parsed) == ["annotations", "boxes"]
