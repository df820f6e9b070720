"""Peak memory of whole runs, with few boxes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.speed.memory import draw_boxes, measure_memory, multiply
from harness.speed.own_peak import peak_memory
from harness.speed.workload import Documents


def test_two_sizes(samples: Path) -> None:
    outcome = measure_memory(samples, (20, 60), images=6)
    assert outcome.boxes == (20, 60)
    assert all(100 < peak < 10_000 for peak in outcome.peak_mb)
    assert outcome.growth_mb == outcome.peak_mb[1] - outcome.peak_mb[0]


def test_images_serve_under_many_ids() -> None:
    images = [{"id": 7, "file_name": "/a.jpg"}, {"id": 3, "file_name": "/b.jpg"}]
    people = [{"id": 50, "image_id": 3, "keypoints": [1, 2, 2], "segmentation": [[1, 2]]}]
    multiplied = multiply(Documents({"images": images, "annotations": people, "categories": []}, [{"image_id": 3}]), 5)
    assert [image["id"] for image in multiplied.annotations["images"]] == [1, 2, 3, 4, 5]
    assert [image["file_name"][1] for image in multiplied.annotations["images"]] == ["a", "b", "a", "b", "a"]
    assert [(p["id"], p["image_id"]) for p in multiplied.annotations["annotations"]] == [(1, 2), (2, 4)]
    assert multiplied.boxes == []


@pytest.mark.parametrize(("count", "used"), [(40, 2), (45, 3), (200, 10), (500, 10)])
def test_boxes(count: int, used: int) -> None:
    images = [{"id": 100 + number, "width": 640, "height": 480} for number in range(10)]
    boxes = draw_boxes(images, count)
    assert len(boxes) == count
    ids = [box["image_id"] for box in boxes]
    assert ids == sorted(ids)
    assert set(ids) == set(range(100, 100 + used))
    x, y, w, h = np.array([box["bbox"] for box in boxes]).T
    assert (x >= 0).all()
    assert (x + w <= 640).all()
    assert (y + h <= 480).all()
    assert min(w.min(), h.min()) > 40


def test_own_peak() -> None:
    before = peak_memory()
    held = np.ones(30_000_000, np.uint8)
    assert peak_memory() >= before
    assert before > 10_000_000 < len(held)


def test_own_peak_of_a_module() -> None:
    command = [sys.executable, "-m", "harness.speed.own_peak", "harness", "list", "none-such"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "none-such" in ended.stderr
    assert int(ended.stdout.split()[-1]) > 10_000_000
