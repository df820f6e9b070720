"""People from COCO-style annotation files and from detector box files.

Source: mmpose/datasets/datasets/base/base_coco_style_dataset.py (`parse_data_info`, `_is_valid_instance`,
`_load_detection_results`) and body/jhmdb_dataset.py.
"""

from pathlib import Path
from typing import Any

import numpy as np

from harness.arrays import Float32
from harness.datasets.people.people import People
from harness.errors import MALFORMED, ObtainError, brief
from harness.files import read_json

PERSON = 1
"""The category id of people in every box file that MMPose reads."""


def annotated_people(annotations: Path, images: Path, *, one_based: bool = False) -> People:
    """List the annotated people that can be evaluated: not crowds, with keypoints, with a box inside the image.

    Args:
        annotations: A COCO-style keypoint annotation file.
        images: The folder that its file names are relative to.
        one_based: The file counts pixels from 1 (JHMDB), and MMPose counts labelled keypoints itself.

    Raises:
        ObtainError: The file is missing or not of this form, or nobody in it has keypoints.
    """
    data = read_annotations(annotations)
    by_image: dict[int, list[dict[str, Any]]] = {}
    for index, annotation in enumerate(data["annotations"]):
        if not isinstance(annotation, dict) or not _is_id(annotation.get("image_id")):
            raise ObtainError(f"annotations[{index}] of {annotations} has no image_id", "it is a whole number")
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    ids, image_ids, boxes, files = [], [], [], {}
    for image in data["images"]:
        for annotation in by_image.get(image["id"], ()):
            if "bbox" not in annotation or "keypoints" not in annotation or annotation.get("iscrowd"):
                continue
            try:
                box = _clipped_box(annotation["bbox"], image["width"], image["height"], one_based)
                points = np.array(annotation["keypoints"], np.float32).reshape(-1, 3)[:, :2] - np.float32(one_based)
            except MALFORMED as error:
                where = f"annotation {brief(annotation.get('id'))} of {annotations}"
                raise ObtainError(f"{where}: bad bbox, keypoints or image size: {error!r}") from error
            labelled = np.count_nonzero(points.max(axis=1))
            count = labelled if one_based else annotation.get("num_keypoints", labelled)
            if count == 0 or (box[2:] <= box[:2]).any() or points.max(initial=0) <= 0:
                continue
            if not _is_id(annotation.get("id")):
                raise ObtainError(
                    f"an annotation of image {image['id']} in {annotations} has no id", "it is a whole number"
                )
            ids.append(annotation["id"])
            image_ids.append(image["id"])
            boxes.append(box)
            files[image["id"]] = images / image["file_name"]
    if not ids:
        raise ObtainError(
            f"nobody in {annotations} has keypoints and a box: 0 of {len(data['annotations'])} annotations",
            "check that it is the keypoint file (person_keypoints_*.json, not instances_*.json)",
        )
    return People.from_boxes(ids, image_ids, boxes, [1.0] * len(ids), files)


def detected_people(box_file: Path, annotations: Path, images: Path, score_threshold: float | None) -> People:
    """List the people in a detector's box file, a list of {image_id, category_id, bbox [x, y, w, h], score}.

    Args:
        box_file: The detector's results.
        annotations: The annotation file that says which images there are.
        images: The folder that its file names are relative to.
        score_threshold: Boxes with a lower score are dropped, after numbering.

    Raises:
        ObtainError: A file is missing or not of its form, has no people, or is for other images.
    """
    files = {image["id"]: images / image["file_name"] for image in read_annotations(annotations)["images"]}
    detections = read_json(box_file, "the box file", "name another data folder with --data")
    if not isinstance(detections, list) or not all(isinstance(d, dict) for d in detections):
        raise ObtainError(f"a box file is a list of detections, this one is not: {box_file}")
    try:
        detections = [d for d in detections if d["category_id"] == PERSON]
        # One that is not a number is kept, to be refused with the boxes.
        lowest = -np.inf if score_threshold is None else np.float32(score_threshold)
        numbers = [i for i, d in enumerate(detections) if not np.float32(d["score"]) < lowest]
        image_ids = [detections[i]["image_id"] for i in numbers]
        xywh = np.array([detections[i]["bbox"][:4] for i in numbers], np.float32)
        if numbers and not (all(map(_is_id, image_ids)) and xywh.shape == (len(numbers), 4)):
            raise ValueError("each has a bbox of 4 numbers and a whole number for its image_id")
        scores = [float(detections[i]["score"]) for i in numbers]
    except MALFORMED as error:
        raise ObtainError(f"a detection lacks or misspells a field: {box_file}: {error!r}") from error
    if not numbers:
        raise ObtainError(f"no person boxes in the box file: {box_file}", "detect people again, or use another file")
    strangers = sorted(set(image_ids) - files.keys(), key=str)
    if strangers:
        raise ObtainError(
            f"the box file is for other images: {len(strangers)} of its image ids, such as {strangers[0]}, "
            f"are not in {annotations}: {box_file}",
            "use the box file that was made for these images",
        )
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    return People.from_boxes(numbers, image_ids, list(xyxy), scores, files)


def read_annotations(path: Path) -> dict[str, Any]:
    """Read a COCO-style annotation file, whose images have an id and a file name.

    Raises:
        ObtainError: The file is missing or not of its form.
    """
    data: dict[str, Any] = read_json(path, "the annotation file", "name another data folder with --data")
    for field in ("images", "annotations"):
        if not isinstance(data, dict) or not isinstance(data.get(field), list):
            raise ObtainError(f"no list `{field}` in the annotation file: {path}")
    for index, image in enumerate(data["images"]):
        if not isinstance(image, dict) or not (_is_id(image.get("id")) and isinstance(image.get("file_name"), str)):
            raise ObtainError(f"images[{index}] has no id or file_name: {path}", "a whole number, and a text")
    return data


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _clipped_box(xywh: list[float], width: int, height: int, one_based: bool) -> Float32:
    """Return x1, y1, x2, y2 within the image; computed in double precision and then rounded, as MMPose does."""
    x, y, w, h = xywh
    x, y = x - one_based, y - one_based
    corners = np.clip([x, y, x + w, y + h], 0, [width - 1, height - 1] * 2)
    box: Float32 = corners.astype(np.float32)
    return box
