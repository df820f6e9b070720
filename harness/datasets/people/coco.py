"""People from COCO-style annotation files and from detector box files.

Source: mmpose/datasets/datasets/base/base_coco_style_dataset.py (`parse_data_info`, `_is_valid_instance`,
`_load_detection_results`), body/jhmdb_dataset.py, hand/freihand_dataset.py, animal/locust_dataset.py,
animal/zebra_dataset.py.
"""

from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32, Float64, Indices
from harness.datasets.box_file import read_boxes
from harness.datasets.coco_file import (
    PERSON,
    Annotations,
    CocoFile,
    are_crowds,
    by_image,
    read_coco,
    require_known,
)
from harness.datasets.columns import WHOLE_NUMBERS
from harness.datasets.people.people import People
from harness.errors import ObtainError, brief


def annotated_people(
    annotations: Path,
    images: Path,
    *,
    one_based: bool = False,
    counted: bool = False,
    whole_image: int | None = None,
    coco: CocoFile | None = None,
) -> People:
    """List the annotated people that can be evaluated: not crowds, with keypoints, with a box inside the image.

    Args:
        annotations: A COCO-style keypoint annotation file.
        images: The folder that its file names are relative to.
        one_based: The file counts pixels from 1 (JHMDB), and MMPose counts labelled keypoints itself.
        counted: MMPose counts labelled keypoints itself, and ignores `num_keypoints`.
        whole_image: Side in px of the square at 0, 0 that is every person's box; `bbox` and the image's size are then
            not read.
        coco: The content of the file, if the keypoints are not those of its `keypoints` (COCO-WholeBody).

    Raises:
        ObtainError: The file is missing or does not have this structure, or no person in it has keypoints.
    """
    coco = coco or read_coco(annotations)
    image_ids, names = coco.listed(annotations)
    people = coco.annotations
    require_known(people.image_ids, "image_id", annotations)
    image_rows, rows = by_image(coco)
    evaluable = people.keypoints.given & ~are_crowds(people.crowds)
    if whole_image is None:
        evaluable &= people.boxes.given
    image_rows, rows = image_rows[evaluable[rows]], rows[evaluable[rows]]
    _check(annotations, coco, image_rows, rows, boxes=whole_image is None)

    if whole_image is None:
        sizes = np.column_stack([coco.images.widths.values, coco.images.heights.values])[image_rows]
        boxes = _clipped_boxes(people.boxes.values[rows], sizes, one_based)
    else:
        boxes = np.tile(np.array([0, 0, whole_image, whole_image], np.float32), (len(rows), 1))
    labelled = _labelled(people, rows, one_based, counted or one_based)
    labelled &= ~(boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    image_rows, rows, boxes = image_rows[labelled], rows[labelled], boxes[labelled]
    if not len(rows):
        needed = "keypoints" if whole_image else "keypoints and a box"
        raise ObtainError(
            f"no person in {annotations} has {needed}: 0 of {len(people)} annotations",
            "each person needs a bbox and labelled keypoints; of COCO, take person_keypoints_*.json",
        )
    nameless = np.flatnonzero(~people.ids.known[rows])
    if len(nameless):
        image, found = image_ids[image_rows[nameless[0]]], brief(people.ids.odd[int(rows[nameless[0]])])
        raise ObtainError(f"an annotation of image {image} in {annotations} has no id: it is {found}", WHOLE_NUMBERS)
    files = {int(image_ids[row]): images / names[row] for row in dict.fromkeys(image_rows.tolist())}
    return People.from_boxes(people.ids.values[rows], image_ids[image_rows], boxes, np.ones(len(rows)), files)


def detected_people(
    box_file: Path, annotations: Path, images: Path, score_threshold: float | None, *, coco: CocoFile | None = None
) -> People:
    """List the people in a detector's box file, a list of {image_id, category_id, bbox [x, y, w, h], score}.

    Args:
        box_file: The detector's results.
        annotations: The annotation file that lists the images.
        images: The folder that its file names are relative to.
        score_threshold: Boxes with a lower score are dropped, after numbering.
        coco: The content of the annotation file, if it was read already.

    Raises:
        ObtainError: A file is missing or does not have the expected structure, has no people, or is for other images.
    """
    ids, names = (coco or read_coco(annotations)).listed(annotations)
    detected = read_boxes(box_file)
    people = detected.people(box_file)
    scores = detected.require_scores(box_file, people)
    # A score that is NaN is kept here, and is refused with the boxes.
    numbers = np.flatnonzero(~(_single(scores) < (-np.inf if score_threshold is None else np.float32(score_threshold))))
    rows = people[numbers]
    xywh = _single(detected.require_boxes(box_file, rows))
    image_ids = detected.image_ids.values[rows]
    if not len(people) and len(detected):
        raise ObtainError(
            f"no person boxes in the box file: {box_file}: {detected.found_categories()}",
            f"write {PERSON}, the only category_id that MMPose reads people from, for any category of the annotations",
        )
    if not len(rows):
        above = f", of a score of at least {score_threshold:g}" if len(people) else ""
        raise ObtainError(
            f"no person boxes in the box file: {box_file}{above}", "detect people again, or use another file"
        )
    strangers = np.setdiff1d(image_ids, ids)
    if len(strangers):
        raise ObtainError(
            f"the box file is for other images: {len(strangers)} of its image ids, such as {strangers[0]}, "
            f"are not in {annotations}: {box_file}",
            "use the box file that was made for these images",
        )
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    name_of = dict(zip(ids.tolist(), names, strict=True))
    files = {image_id: images / name_of[image_id] for image_id in dict.fromkeys(image_ids.tolist())}
    return People.from_boxes(numbers, image_ids, xyxy, scores[numbers], files)


def _check(path: Path, coco: CocoFile, image_rows: Indices, rows: Indices, *, boxes: bool) -> None:
    """Check the fields of people and of their images; boxes and the images' sizes only with `boxes`.

    Raises:
        ObtainError: A field is missing or garbled; names the annotation.
    """
    people, images = coco.annotations, coco.images
    threes = people.keypoints.values.shape[1] % 3 == 0
    read = (
        ("bbox", people.boxes, rows),
        ("keypoints", people.keypoints, rows),
        ("width of its image", images.widths, image_rows),
        ("height of its image", images.heights, image_rows),
    )
    for field, column, used in read if boxes else read[1:2]:
        strange = np.flatnonzero(~column.known[used] | (field == "keypoints" and not threes))
        if len(strange):
            row = rows[strange[0]]
            found = brief(column.odd.get(int(used[strange[0]]), column.values[used[strange[0]]]))
            name = people.ids.odd.get(int(row), int(people.ids.values[row]))
            raise ObtainError(
                f"annotation {brief(name)} of {path}: bad bbox, keypoints or image size: {field} is {found}",
                "bbox is x, y, width, height; keypoints are x, y, visibility of each, or an empty list",
            )


def _clipped_boxes(xywh: Float64, sizes: Float64, one_based: bool) -> Float32:
    """Return [N, 4] x1, y1, x2, y2 within the image, px; computed in double precision and rounded, as in MMPose."""
    top_left = xywh[:, :2] - one_based
    corners = np.concatenate([top_left, top_left + xywh[:, 2:]], axis=1)
    return _single(np.clip(corners, 0, np.tile(sizes - 1, 2)))


def _labelled(people: Annotations, rows: Indices, one_based: bool, counted: bool) -> Bool:
    """Return which people have labelled keypoints, [N]."""
    keypoints = people.keypoints.values[rows]
    points = _single(keypoints.reshape(len(rows), keypoints.shape[1] // 3, 3)[..., :2]) - np.float32(one_based)
    stated = people.counts.given[rows] & (not counted)
    counts = np.where(stated, people.counts.values[rows], np.count_nonzero(points.max(axis=2), axis=1))
    labelled: Bool = (counts != 0) & ~(points.max(axis=(1, 2), initial=0) <= 0)
    return labelled


def _single(numbers: Float64) -> Float32:
    with np.errstate(over="ignore"):  # values that overflow are refused with the boxes
        return numbers.astype(np.float32)
