"""People and crops of every data set and box source, compared with MMPose's data sets and pipelines, bit for bit."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from upstream_config import build_dataset, config

from harness.assets.dataset import data_file
from harness.datasets.people import People, check_images, load_people
from harness.errors import ObtainError, RunError
from harness.predict.crops import crop_regions, read_image, warp
from harness.protocol import Compute, Protocol
from harness.speed.own_peak import peak_memory
from harness.suites.ledger import image_folder, read_protocol

COMPUTE = Compute(engine="shared", batch_size=1, device="cpu")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "coco detections": ("coco/td-hm_res50_8xb64-210e_coco-256x192", {}),
    "coco detections, udp": ("coco/td-hm_hrnet-w48_udp-8xb32-210e_coco-256x192", {}),
    "coco detections, square": ("coco/td-hm_hourglass52_8xb32-210e_coco-256x256", {}),
    "coco ground truth": ("coco/td-hm_res50_8xb64-210e_coco-256x192", {"bbox_file": None}),
    "coco detections over 0.9": ("coco/td-hm_res50_8xb64-210e_coco-256x192", {"filter_cfg": {"bbox_score_thr": 0.9}}),
    "mpii": ("mpii/td-hm_res50_8xb64-210e_mpii-256x256", {}),
    "mpii, 368": ("mpii/td-hm_cpm_8xb64-210e_mpii-368x368", {}),
    "crowdpose": ("crowdpose/td-hm_res50_8xb64-210e_crowdpose-256x192", {}),
    "crowdpose ground truth": ("crowdpose/td-hm_res50_8xb64-210e_crowdpose-256x192", {"bbox_file": None}),
    "aic": ("aic/td-hm_res101_8xb64-210e_aic-256x192", {}),
    "jhmdb": ("jhmdb/td-hm_res50_8xb64-20e_jhmdb-sub1-256x256", {}),
    "posetrack18 detections": ("posetrack18/td-hm_hrnet-w32_8xb64-20e_posetrack18-256x192", {}),
    "posetrack18 ground truth": ("posetrack18/td-hm_res50_8xb64-20e_posetrack18-256x192", {}),
    "humanart detections": ("humanart/td-hm_ViTPose-small_8xb64-210e_humanart-256x192", {}),
    "humanart ground truth": ("humanart/td-hm_ViTPose-small_8xb64-210e_humanart-256x192", {"bbox_file": None}),
}


def load(name: str, changes: dict[str, Any], data: Path) -> tuple[People, Protocol, Any]:
    loaded = config(name)
    for field, value in changes.items():
        loaded.test_dataloader.dataset[field] = value
    protocol = read_protocol(loaded, lambda path, what: data_file(data, path, what), None, COMPUTE)
    boxes = protocol.boxes
    people = load_people(
        protocol.dataset,
        data / protocol.annotations.path,
        data / image_folder(loaded),
        data / boxes.file.path if boxes.file else None,
        boxes.score_threshold,
    )
    return people, protocol, build_dataset(loaded, data)


@pytest.mark.parametrize("case", CASES)
def test_equal_upstream(case: str, each_samples: Path) -> None:
    people, protocol, dataset = load(*CASES[case], each_samples)
    check_images(people.images)
    assert len(people) == len(dataset) > 0
    regions = crop_regions(people, protocol.crop)
    for i in range(len(people)):
        item = dataset[i]
        sample = item["data_samples"]
        assert people.ids[i] == sample.id
        assert people.image_ids[i] == sample.img_id
        assert people.images[people.image_ids[i]] == Path(sample.img_path)
        np.testing.assert_array_equal(people.boxes[i], sample.gt_instances.bboxes[0])
        np.testing.assert_array_equal(people.scores[i], sample.gt_instances.bbox_scores[0])
        np.testing.assert_array_equal(regions.centers[i], sample.input_center)
        np.testing.assert_array_equal(regions.sizes[i], sample.input_scale)
        if i % 7 == 0:
            crop = warp(read_image(people.images[people.image_ids[i]]), regions.matrices[i], protocol.crop.input_size)
            np.testing.assert_array_equal(crop, item["inputs"].numpy().transpose(1, 2, 0))


def test_first_images(samples: Path) -> None:
    people, _, _ = load(*CASES["coco detections"], samples)
    first = people.first_images(2)
    assert list(first.images) == list(people.images)[:2]
    assert set(first.image_ids.tolist()) == set(first.images)
    assert len(people.first_images(99)) == len(people)


def coco_files(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Write an annotation file of one person and a box file of one box, with changed fields."""
    annotation = {"id": 7, "image_id": 1, "bbox": [1, 1, 50, 80], "keypoints": [20, 20, 2] * 17, "num_keypoints": 17}
    annotations = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 100, "height": 100}],
        "annotations": [annotation | changes.get("annotation", {})],
    }
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 50, 80], "score": 0.5} | changes.get("box", {})]
    paths = folder / "annotations.json", folder / "boxes.json"
    for path, content in zip(
        paths, (changes.get("annotations", annotations), changes.get("boxes", boxes)), strict=True
    ):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return paths


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": "{"}, "the annotation file cannot be read: {annotations}"),
        ({"annotations": []}, "{annotations}: it is not an object with `images` and `annotations`"),
        (
            {"annotations": {"images": [{"id": 1}], "annotations": []}},
            "images[0] has no id or file_name: {annotations}",
        ),
        (
            {"annotation": {"num_keypoints": 0}},
            "no person in {annotations} has keypoints and a box: 0 of 1 annotations",
        ),
        ({"annotation": {"iscrowd": 1}}, "no person in {annotations} has keypoints and a box"),
        (
            {"annotation": {"bbox": [1, 2]}},
            "annotation 7 of {annotations}: bad bbox, keypoints or image size: bbox is [1, 2]",
        ),
        ({"annotation": {"keypoints": [10**400] * 51}}, "annotation 7 of {annotations}: bad bbox, keypoints or"),
        ({"annotation": {"bbox": [1, 1, float("nan"), 2]}}, "not a finite number: {annotations}: that of person 7"),
        ({"annotation": {"keypoints": []}}, "no person in {annotations} has keypoints and a box"),
        ({"annotation": {"image_id": [1]}}, "annotations[0] of {annotations} has no image_id"),
        ({"annotation": {"id": "seven"}}, "an annotation of image 1 in {annotations} has no id"),
        ({"annotations": {"images": [], "annotations": [5]}}, "{annotations}: `annotations` is not a list of objects"),
        (
            {"annotations": {"images": [{"id": [1], "file_name": "1.jpg"}], "annotations": []}},
            "images[0] has no id or file_name: {annotations}",
        ),
        (
            {"annotations": {"images": [{"id": 1, "file_name": 1}], "annotations": []}},
            "images[0] has no id or file_name: {annotations}",
        ),
    ],
)
def test_bad_annotations(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    annotations, _ = coco_files(tmp_path, **changes)
    with pytest.raises(ObtainError) as error:
        load_people("CocoDataset", annotations, tmp_path, None, None)
    assert message.format(annotations=annotations) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": []}, "no person boxes in the box file: {boxes}"),
        ({"boxes": {}}, "{boxes}: it is not a list of objects"),
        ({"box": {"category_id": 2}}, "no person boxes in the box file: {boxes}"),
        ({"box": {"image_id": 5}}, "1 of its image ids, such as 5, are not in {annotations}: {boxes}"),
        ({"box": {"bbox": "1 2 3 4"}}, "{boxes}: entry 0: bbox must be 4 numbers x, y, w, h, not '1 2 3 4'"),
        ({"boxes": [{"image_id": 1, "category_id": 1}]}, "{boxes}: entry 0 has no score"),
        ({"box": {"bbox": [1, 1, float("nan"), 2]}}, "a box has a coordinate that is not a finite number: {boxes}"),
        ({"box": {"bbox": [1, 1, 3e38, 2]}}, "a box has a coordinate that is not a finite number: {boxes}"),
        ({"box": {"bbox": [1, 1, 10**400, 2]}}, "{boxes}: entry 0: bbox must be 4 numbers x, y, w, h, not [1, 1, 1000"),
        ({"box": {"score": float("nan")}}, "a box has a score that is not a finite number: {boxes}: that of person 0"),
        ({"box": {"image_id": 2**64}}, "{boxes}: entry 0: image_id must be a whole number, not 18446744073709551616"),
    ],
)
def test_bad_boxes(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    annotations, boxes = coco_files(tmp_path, **changes)
    with pytest.raises(ObtainError) as error:
        load_people("CocoDataset", annotations, tmp_path, boxes, None)
    assert message.format(annotations=annotations, boxes=boxes) in str(error.value)


def test_missing_images_are_counted(tmp_path: Path) -> None:
    annotations, boxes = coco_files(tmp_path)
    people = load_people("CocoDataset", annotations, tmp_path, boxes, None)
    with pytest.raises(ObtainError, match=r"1 of 1 images are missing, the first is .*1\.jpg"):
        check_images(people.images)
    with pytest.raises(ObtainError, match=r"1 of 1 images are missing, the first is .*xxx"):
        check_images({1: tmp_path / ("x" * 300)})


@pytest.mark.parametrize(
    "change",
    [{"center": [1, 2, 3, 4]}, {"scale": [1, 2]}, {"image": 5}, {"image": f"{2**64}.jpg"}, {"scale": 10**400}],
    ids=str,
)
def test_bad_mpii_people(tmp_path: Path, change: dict[str, Any]) -> None:
    person = {"image": "015601864.jpg", "center": [100, 100], "scale": 1.5}
    path = tmp_path / "mpii_val.json"
    path.write_text(json.dumps([person]))
    assert len(load_people("MpiiDataset", path, tmp_path, None, None)) == 1
    path.write_text(json.dumps([person | change]))
    with pytest.raises(ObtainError, match=r"a person lacks or misspells a field: .*mpii_val\.json"):
        load_people("MpiiDataset", path, tmp_path, None, None)


def patched(extension: str, position: int, value: bytes) -> bytes:
    """Return an image of 20 x 10 px with some bytes changed."""
    data = bytearray(cv2.imencode(f".{extension}", np.zeros((10, 20, 3), np.uint8))[1].tobytes())
    data[position : position + len(value)] = value
    return bytes(data)


def test_sizes_that_a_damaged_image_claims(tmp_path: Path) -> None:
    """OpenCV would allocate gigabytes for the PNG files, and raise its own error for the other."""
    frame = cv2.imencode(".jpg", np.zeros((10, 20, 3), np.uint8))[1].tobytes().index(b"\xff\xc0")
    header = struct.pack(">IIBBBBB", 11000, 11000, 8, 2, 0, 0, 0)
    images = {
        "chunk.png": patched("png", 33, struct.pack(">I", 2**31 - 1)),
        "tail.png": patched("png", 37, b"IDxT") + struct.pack(">I4s", 2**30, b"IDAT"),
        "header.png": patched("png", 16, header + struct.pack(">I", zlib.crc32(b"IHDR" + header))),
        "frame.jpg": patched("jpg", frame + 5, struct.pack(">HH", 65500, 65500)),
    }
    before = peak_memory()
    for name, data in images.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(RunError, match=f"{name}"):
            read_image(path)
    assert peak_memory() - before < 100 * 2**20


@pytest.mark.parametrize("extension", ["jpg", "png"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_image(tmp_path: Path, extension: str, share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    whole = cv2.imencode(f".{extension}", pixels)[1].tobytes()
    path = tmp_path / f"image.{extension}"
    path.write_bytes(whole)
    assert read_image(path).shape == (60, 80, 3)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RunError, match=f"{path.name} "):
        read_image(path)


def test_animated_png(tmp_path: Path) -> None:
    """OpenCV 4.11 crashes on an animation without frames."""
    whole = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    control = b"acTL" + struct.pack(">II", 1, 0)
    path = tmp_path / "image.png"
    path.write_bytes(whole[:33] + struct.pack(">I", 8) + control + struct.pack(">I", zlib.crc32(control)) + whole[33:])
    with pytest.raises(RunError, match=r"image is an animation: .*image\.png"):
        read_image(path)


def test_image_with_a_tail_is_whole(tmp_path: Path) -> None:
    """Cameras append data after the end marker; such files are common and decode completely."""
    whole = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    path = tmp_path / "image.jpg"
    path.write_bytes(whole + b"\0" * 100)
    assert read_image(path).shape == (8, 8, 3)
