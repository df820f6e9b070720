"""Detection of people compared with mmdet's own inference, with a small two-stage and a small one-stage detector."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import save_checkpoint
from mmengine.structures import InstanceData

from harness.errors import ObtainError, RunError, SpecError
from harness.predict.detect import (
    Detector,
    build_detector,
    detect_people,
    listed_images,
    load_detector_config,
    zoo,
    zoo_weights,
)

ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"

SMALL = """
_base_ = "{zoo}/{base}.py"
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(224, 160), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, metainfo=dict(classes=("cat", "person"))))
model = dict({model})
"""

TWO_STAGE = (
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco",
    "roi_head=dict(bbox_head=dict(num_classes=2)), "
    "test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=50), rcnn=dict(score_thr=0.0))",
)
ONE_STAGE = ("yolox/yolox_tiny_8xb8-300e_coco", "bbox_head=dict(num_classes=2), test_cfg=dict(score_thr=0.001)")


def small_config(folder: Path, base: str, model: str) -> Path:
    path = folder / f"{Path(base).name}-small.py"
    path.write_text(SMALL.format(zoo=zoo().as_posix(), base=base, model=model))
    return path


@pytest.fixture(scope="module")
def images(samples: Path) -> dict[int, Path]:
    return listed_images(samples / ANNOTATIONS, samples / "coco" / "val2017", 2)


def test_the_limit_counts_an_image_listed_twice_once(images: dict[int, Path], tmp_path: Path) -> None:
    listed = [{"id": number, "file_name": str(path)} for number, path in images.items()]
    path = tmp_path / "twice.json"
    path.write_text(json.dumps({"images": [listed[0], *listed], "annotations": []}))
    assert listed_images(path, tmp_path, 2) == images


@pytest.fixture(scope="module", params=[TWO_STAGE, ONE_STAGE], ids=["two-stage", "one-stage"])
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    config = load_detector_config(str(small_config(tmp_path_factory.mktemp("config"), *request.param)))
    built = build_detector(config, 0, "cpu")
    built.network.cfg = config  # needed by mmdet's inference_detector
    return built


def detect(detector: Detector, images: dict[int, Path], **options: Any) -> list[dict[str, Any]]:
    return detect_people(detector, images, advance=lambda done: None, **options)


def test_as_mmdet_infers(detector: Detector, images: dict[int, Path]) -> None:
    from mmdet.apis import inference_detector
    from mmengine.registry import DefaultScope

    found = detect(detector, images)
    with DefaultScope.overwrite_default_scope("mmdet"):
        results = [inference_detector(detector.network, str(path)).pred_instances for path in images.values()]
    for image_id, result in zip(images, results, strict=True):
        ours = [box for box in found if box["image_id"] == image_id]
        people = result[result.labels == detector.person]
        assert 5 < len(people) < len(result)
        x, y, w, h = np.array([box["bbox"] for box in ours]).T
        expected = people.bboxes[torch.argsort(people.scores, descending=True, stable=True)].numpy()
        np.testing.assert_allclose(np.column_stack([x, y, x + w, y + h]), expected, rtol=0, atol=1e-3)
        assert [box["score"] for box in ours] == sorted(people.scores.tolist(), reverse=True)


def test_order_threshold_and_progress(detector: Detector, images: dict[int, Path]) -> None:
    done: list[int] = []
    backwards = dict(reversed(images.items()))
    found = detect_people(detector, backwards, batch_size=2, advance=done.append)
    assert done == [2]
    assert list(dict.fromkeys(box["image_id"] for box in found)) == list(backwards)
    for image_id in images:
        scores = [box["score"] for box in found if box["image_id"] == image_id]
        assert scores == sorted(scores, reverse=True)
    assert {tuple(box) for box in found} == {("bbox", "category_id", "image_id", "score")}
    one_by_one = detect(detector, backwards)
    middle = float(np.median([box["score"] for box in one_by_one]))
    assert detect(detector, backwards, score_threshold=middle) == [b for b in one_by_one if b["score"] >= middle]


def test_seeds_and_checkpoints(tmp_path: Path, images: dict[int, Path]) -> None:
    """A seed gives the same weights every time; so does a checkpoint written by mmengine, with mmdet's metadata."""
    config = load_detector_config(str(small_config(tmp_path, *ONE_STAGE)))
    torch.manual_seed(5)
    expected_random = torch.rand(1)
    torch.manual_seed(5)
    first = build_detector(config, 7, "cpu")
    assert torch.rand(1) == expected_random
    boxes = detect(first, images)
    assert detect(build_detector(config, 7, "cpu"), images) == boxes
    other = build_detector(config, 8, "cpu")
    assert detect(other, images) != boxes

    path = tmp_path / "epoch_1.pth"
    meta = {"dataset_meta": {"classes": ("person",), "palette": np.zeros((1, 3), np.uint8)}, "cfg": config.pretty_text}
    save_checkpoint({"meta": meta, "state_dict": first.network.state_dict()}, str(path))
    assert detect(build_detector(config, path, "cpu"), images) == boxes
    with pytest.raises(ObtainError, match="is for another network"):
        build_detector(load_detector_config("yolox_s_8xb8-300e_coco"), path, "cpu")


def test_the_label_of_people_is_the_configs(tmp_path: Path) -> None:
    path = small_config(tmp_path, *ONE_STAGE)
    assert build_detector(load_detector_config(str(path)), 0, "cpu").person == 1
    assert build_detector(load_detector_config("yolox_tiny_8xb8-300e_coco"), 0, "cpu").person == 0
    path.write_text(path.read_text().replace("person", "dog"))
    with pytest.raises(SpecError, match="no `person` among the classes"):
        build_detector(load_detector_config(str(path)), 0, "cpu")


def test_configs_by_name(tmp_path: Path) -> None:
    by_name = load_detector_config("cascade-rcnn_x101_64x4d_fpn_20e_coco")
    assert by_name.model.type == "CascadeRCNN"
    assert load_detector_config("cascade_rcnn/cascade-rcnn_x101_64x4d_fpn_20e_coco.py").model == by_name.model
    with pytest.raises(SpecError, match=r"no detector config mine/cascade-rcnn_x101_64x4d_fpn_20e_coco\.py"):
        load_detector_config("mine/cascade-rcnn_x101_64x4d_fpn_20e_coco.py")
    with pytest.raises(SpecError, match=r"no detector config yolox_tiny_8xb8-300e_cocoo\n  did you mean yolox_tiny_8"):
        load_detector_config("yolox_tiny_8xb8-300e_cocoo")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    with pytest.raises(SpecError, match=r"broken\.py cannot be read: ZeroDivisionError"):
        load_detector_config(str(broken))
    broken.write_text("model = dict(type='NoDetector')\ntest_dataloader = dict(dataset=dict(pipeline=[]))")
    with pytest.raises(RunError, match=r"cannot build the detector of .*broken\.py.*NoDetector"):
        build_detector(load_detector_config(str(broken)), 0, "cpu")
    broken.write_text("a = 1")
    with pytest.raises(SpecError, match=r"broken\.py has no model"):
        load_detector_config(str(broken))


def test_a_damaged_image(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"no image")
    with pytest.raises(ObtainError, match=r"cannot read .*x\.jpg"):
        detect(detector, {1: tmp_path / "x.jpg"})


def test_boxes_that_are_no_numbers() -> None:
    from mmdet.structures import DetDataSample

    people = {"bboxes": torch.tensor([[0, 0, torch.inf, 1]]), "scores": torch.ones(1), "labels": torch.zeros(1)}
    sample = DetDataSample(pred_instances=InstanceData(**people))
    diverged = SimpleNamespace(test_step=lambda data: [sample])
    with pytest.raises(RunError, match=r"not finite in x\.jpg: \[0\.0, 0\.0, inf, 1\.0\], score 1\.0"):
        detect(Detector(diverged, pipeline=dict, person=0), {1: Path("x.jpg")})


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("faster-rcnn_r50_fpn_1x_coco", "faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth"),
        ("retinanet_r50_fpn_1x_coco", "retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth"),
        ("cascade-rcnn_x101-64x4d_fpn_1x_coco", "cascade_rcnn_x101_64x4d_fpn_1x_coco_20200515_075702-43ce6a30.pth"),
    ],
)
def test_weights_of_the_zoo(name: str, file: str) -> None:
    url = zoo_weights(load_detector_config(name))
    assert url is not None
    assert url.startswith("https://download.openmmlab.com/mmdetection/")
    assert url.endswith(f"/{file}")
