"""`harness boxes` through the command line's entry point."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Harness
from miniature import Miniature, coco
from mmengine.config import Config

from harness.assets.download import Downloaded
from harness.cli import boxes
from harness.datasets.people import detected_people
from harness.files import sha256_file
from harness.metrics.box_ap import person_ap
from harness.predict.detect import zoo

BOX_FILE, ANNOTATIONS = coco.BOXES, coco.ANNOTATIONS
IMAGES = len(coco.PLAN)

TINY = """
_base_ = "{zoo}/{base}.py"
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(160, 128), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
model = dict(test_cfg={test_cfg})
"""


@pytest.fixture(
    params=[
        (
            "faster_rcnn/faster-rcnn_r50_fpn_1x_coco",
            "dict(rpn=dict(nms_pre=100, max_per_img=50), rcnn=dict(score_thr=0.0, max_per_img=4000))",
        ),
        ("retinanet/retinanet_r50_fpn_1x_coco", "dict(score_thr=0.0, nms_pre=4000, max_per_img=4000)"),
    ],
    ids=["two-stage", "one-stage"],
)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a detector's config that works on tiny images and keeps boxes with low scores."""
    base, test_cfg = request.param
    path = tmp_path / "tiny.py"
    path.write_text(TINY.format(zoo=zoo().as_posix(), base=base, test_cfg=test_cfg))
    return path


def test_the_suites_own_file(harness: Harness, miniature: Miniature) -> None:
    samples = miniature.folder
    code, out, err = harness("boxes", "coco", "--data", samples)
    assert (code, err) == (0, "")
    ap = person_ap(samples / BOX_FILE, samples / ANNOTATIONS)
    assert ap.ap is not None
    assert ap.ap50 is not None
    assert ap.ap75 is not None
    assert out.splitlines() == [
        f"coco boxes   [{samples / BOX_FILE}, sha256 {sha256_file(samples / BOX_FILE)[:8]}]",
        f"  images      {IMAGES}",
        f"  boxes       {sum(miniature.coco.boxes)}",
        f"  person AP   {100 * ap.ap:.2f}   AP@0.5 {100 * ap.ap50:.2f}   AP@0.75 {100 * ap.ap75:.2f}",
        f"  published   56.4 of all images of COCO; here {IMAGES} of 5000 images, so the two values are not comparable",
    ]
    assert harness("boxes", "coco", "--data", samples, "--file", samples / BOX_FILE) == (0, out, "")
    code, out, err = harness("boxes", "coco", "--data", samples, "--json")
    document = json.loads(out)
    assert (code, err, document["detector"]) == (0, "", None)
    assert document["sha256"] == sha256_file(samples / BOX_FILE)
    assert document["person"] == {"AP": ap.ap, "AP@0.5": ap.ap50, "AP@0.75": ap.ap75}
    assert document["published"] == {"AP_percent": 56.4, "images": 5000, "difference_percent": None}


def test_other_suites(harness: Harness, samples: Path) -> None:
    _, out, _ = harness("boxes", "humanart", "--data", samples)
    assert "56.2 of all images of Human-Art; here 3 images; the number of all images is not known\n" in out
    code, out, _ = harness("boxes", "crowdpose", "--data", samples)
    assert code == 0
    assert "published" not in out


def test_all_images_of_coco(harness: Harness, tmp_path: Path) -> None:
    """With as many images as COCO val2017, the difference is reported."""
    truth = tmp_path / "data" / ANNOTATIONS
    truth.parent.mkdir(parents=True)
    person = {"id": 1, "image_id": 9, "category_id": 1, "bbox": [0, 0, 10, 10]}
    truth.write_text(json.dumps({"images": [{"id": n} for n in range(5000)], "annotations": [person]}))
    boxes = [person | {"score": 0.5}, person | {"image_id": 8, "score": 0.9}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    code, out, _ = harness("boxes", "coco", "--file", "boxes.json")
    assert code == 0
    assert "56.4 of all images of COCO; here 5000 of 5000 images, difference -6.40\n" in out


def test_detection(harness: Harness, samples: Path, config: Path) -> None:
    arguments = [
        "boxes",
        "coco",
        "--data",
        samples,
        "--detector",
        config,
        "--weights",
        "random:0",
        "--limit",
        1,
        "--device",
        "cpu",
    ]
    code, out, err = harness(*arguments, "--out", "made/boxes.json", "--json")
    assert code == 0, err
    document = json.loads(out)
    made = Path("made/boxes.json")
    boxes = json.loads(made.read_text())
    assert [path.name for path in made.parent.iterdir()] == ["boxes.json"]
    assert (document["images"], document["boxes"], document["sha256"]) == (1, len(boxes), sha256_file(made))
    settings = {"seed": 0, "device": "cpu", "batch_size": 1, "score_threshold": 0.0}
    assert document["detector"] == {"config": "tiny"} | settings
    people = detected_people(made, samples / ANNOTATIONS, samples / "coco" / "val2017", 0.0)
    assert len(people) == len(boxes) > 5
    assert set(people.image_ids.tolist()) == {coco.PLAN[0][0]}
    assert [list(box) for box in boxes[:1]] == [["bbox", "category_id", "image_id", "score"]]
    assert {box["category_id"] for box in boxes} == {1}

    code, again, _ = harness(*arguments, "--out", "again.json", "--score-threshold", boxes[5]["score"])
    assert code == 0
    assert json.loads(Path("again.json").read_text()) == [box for box in boxes if box["score"] >= boxes[5]["score"]]
    assert "  detector    config tiny, seed 0, device cpu, batch_size 1, score_threshold 0." in again
    assert "here 1 of 5000 images, so the two values are not comparable" in again


class Malicious:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("created", "w")


def test_a_malicious_checkpoint(harness: Harness, samples: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "meta": Malicious()}, "bad.pth")
    code, out, err = harness(
        "boxes",
        "coco",
        "--data",
        samples,
        "--detector",
        "yolox_tiny_8xb8-300e_coco",
        "--checkpoint",
        "bad.pth",
        "--out",
        "boxes.json",
    )
    assert (code, out) == (3, "")
    assert "checkpoint refused: bad.pth needs" in err
    assert [path.name for path in Path().iterdir()] == ["bad.pth"]


DETECT = "coco --detector yolox_tiny_8xb8-300e_coco --out new.json --data SAMPLES"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("posetrack18 --data SAMPLES", 2, "no row of posetrack18 uses a detector's boxes"),
        ("coco --data nowhere", 2, "the data folder nowhere does not exist"),
        ("coco --data SAMPLES --file no.json", 3, "the box file is missing: no.json"),
        ("coco --data SAMPLES --limit 1", 2, "--limit needs --detector"),
        ("coco --data SAMPLES --weights random:0", 2, "--weights needs --detector"),
        ("coco --data SAMPLES --batch-size 2", 2, "--batch-size needs --detector"),
        (f"{DETECT} --weights random:0 --file f", 2, "--file and --detector exclude each other"),
        (
            DETECT,
            3,
            "the detector's weights cannot be downloaded: yolox_tiny_8x8_300e_coco_20211124_171234-b4047906.pth",
        ),
        (DETECT.replace("yolox_tiny_8xb8-300e_coco", "mine.py"), 2, "mmdet's zoo has no weights of mine.py"),
        (
            f"{DETECT} --weights random:0 --checkpoint f",
            2,
            "--checkpoint and --weights exclude each other",
        ),
        ("coco --data SAMPLES --detector c --weights random:0", 2, "--detector needs --out FILE"),
        ("coco --data SAMPLES --detector c --weights random:0 --out old.json", 2, "old.json exists"),
        ("coco --data SAMPLES --detector c --weights random:0 --out new.json", 2, "there is no detector config c"),
        (f"{DETECT} --checkpoint no.pth", 3, "checkpoint is missing: no.pth"),
        (
            f"{DETECT.replace('SAMPLES', 'EMPTY')} --weights random:0",
            3,
            f"{IMAGES} of {IMAGES} images are missing, the first is ",
        ),
    ],
)
def test_errors(harness: Harness, samples: Path, arguments: str, code: int, message: str) -> None:
    Path("old.json").write_text("[]")
    Path("mine.py").write_text("_base_ = 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py'\n")
    empty = Path("empty") / ANNOTATIONS
    empty.parent.mkdir(parents=True)
    empty.write_bytes((samples / ANNOTATIONS).read_bytes())
    found = harness("boxes", *arguments.replace("SAMPLES", str(samples)).replace("EMPTY", "empty").split())
    assert found[:2] == (code, "")
    assert found[2].startswith(f"error: {message}")
    assert not Path("new.json").exists()
    assert Path("old.json").read_text() == "[]"


def test_a_date_in_the_name_of_weights_is_no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    stated: list[str | None] = []

    def downloaded(_: list[str], target: Path, *, sha256: str | None, **_others: Any) -> Downloaded:
        stated.append(sha256)
        return Downloaded(target, None, "", 0)

    monkeypatch.setattr("harness.assets.download.download", downloaded)
    for name in ("net-20200130.pth", "net_20200130-047c8118.pth"):
        monkeypatch.setattr("harness.predict.detect.zoo_weights", lambda _, name=name: f"https://host/{name}")
        assert boxes._zoo_checkpoint(Config()).name == name
    assert stated == [None, "047c8118"]


def test_measuring_imports_no_torch(samples: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "harness", "boxes", "coco", "--data", str(samples)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    imported = {line.rsplit("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pycocotools" in imported
    assert not imported & {"torch", "mmdet", "mmcv"}
