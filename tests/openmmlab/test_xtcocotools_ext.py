"""Annotations read without xtcocotools equal those that MMPose's data sets read; evaluation is rejected."""

import json
import os
import subprocess
import sys
from pathlib import Path

DOCUMENT = {
    "images": [{"id": 3, "file_name": "3.jpg", "width": 60, "height": 80}],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 1, "keypoints": [5, 5, 2] * 17, "bbox": [1, 1, 30, 40], "area": 900},
        {"id": 2, "image_id": 3, "category_id": 1, "keypoints": [5, 5, 2] * 17, "bbox": [1, 1, 3, 4], "iscrowd": 1},
    ],
    "categories": [{"id": 1, "name": "person"}],
}
BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "xtcocotools":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "xtcocotools" else real(name, package)
sys.meta_path.insert(0, Missing())
"""
READS = """
from harness.errors import RunError
from harness.openmmlab import xtcocotools_ext
from harness.openmmlab.stand_ins import install_stand_ins
install_stand_ins()
install_stand_ins()
assert xtcocotools_ext.install() == "stand-in"
import mmpose.evaluation
from mmpose.datasets.datasets import CocoDataset
import xtcocotools.mask, xtcocotools.coco
from xtcocotools.cocoeval import COCOeval
data = CocoDataset(ann_file=sys.argv[1], data_prefix={"img": ""}, test_mode=True)
print([person["id"] for person in data], xtcocotools.coco.COCO(sys.argv[1]).anns[1]["iscrowd"])
try:
    COCOeval(None, None, "keypoints")
except RunError as error:
    print(str(error).splitlines()[0])
"""


def run(tmp_path: Path, code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps(DOCUMENT))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *map(str, path)])}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(annotations)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_without_the_package(tmp_path: Path) -> None:
    done = run(tmp_path, BLOCKED + READS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["[1] False", "MMPose's own OKS evaluator needs the package xtcocotools"]


def test_with_its_python_files_alone(tmp_path: Path) -> None:
    """As on Python 3.12, or under NumPy 2: the compiled part is missing or cannot be loaded."""
    package = tmp_path / "site" / "xtcocotools"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_mask.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    (package / "mask.py").write_text("import xtcocotools._mask as _mask\narea = _mask.area\n")
    code = (
        "from harness.openmmlab import xtcocotools_ext as ext\nprint(ext.install())\nprint(ext.install())\n"
        "import xtcocotools.mask\nprint(xtcocotools.mask.area.__name__)"
    )
    done = run(tmp_path, code, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    provider = "xtcocotools with the masks of pycocotools"
    assert done.stdout.splitlines() == [provider, provider, "area"]
