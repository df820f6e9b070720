"""Annotation files of faces that give a centre and a scale in place of a box: 300W, AFLW, WFLW."""

from dataclasses import replace

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.coco_file import are_crowds, distinct_images, image_positions
from harness.datasets.columns import Numbers
from harness.datasets.face_file import FaceFile
from harness.datasets.inspect.people import Annotated, inspect_people, named_ids
from harness.datasets.inspect.problems import OFFICIAL, Problems, Severity, chosen
from harness.datasets.interface import DataFiles
from harness.datasets.people.faces import Squares, evaluable_faces
from harness.datasets.people.people import PIXELS_PER_SCALE

TOO_WIDE, TOO_NARROW = 8.0, 0.4
"""Limits of the square's side, in units of the labelled keypoints' extent; it is 1 to 1.4 in 300W, WFLW and AFLW."""
OFF_CENTRE = 1.0
"""Largest distance of a centre from the middle of the keypoints, in units of their extent; the data sets have 0.2."""
SOME = 0.2
"""Above this share of wrong squares the results are meaningless."""
NO_BOX = "bbox"
"""The field that `inspect_people` checks and that these data sets do not use."""


def inspect_faces(file: str, faces: FaceFile, files: DataFiles, *, box_size: bool) -> Annotated:
    """Inspect an annotation file of faces.

    Args:
        file: The path for messages.
        faces: The content of the file.
        files: The data files of the runs, with the rules for the annotations.
        box_size: MMPose requires `box_size` (AFLW).
    """
    coco, people = faces.coco, faces.coco.annotations
    none = Numbers(np.full((len(people), 4), np.nan), np.zeros(len(people), bool), {})
    without_boxes = replace(coco, annotations=replace(people, boxes=none))
    annotated = inspect_people(file, without_boxes, files.rules, ground_truth=False, detector=bool(files.boxes))
    problems = Problems(file, [problem for problem in annotated.problems if problem.field != NO_BOX])
    ids = named_ids(people.ids)
    _check_fields(problems, faces, ids, box_size)
    _check_squares(problems, faces, ids, files.rules.num_keypoints)

    position = np.where(people.image_ids.known, image_positions(coco.images.ids, people.image_ids.values), -1)
    evaluated = np.zeros(len(people), bool)
    if people.keypoints.values.shape[1] % 3 == 0:
        evaluated = evaluable_faces(faces, Squares.of(faces)) & faces.centers.known & faces.scales.known
        evaluated &= people.counts.known & people.keypoints.known & (position >= 0)
    has_people = np.zeros(len(coco.images), bool)
    has_people[position[evaluated]] = True
    return replace(
        annotated,
        images=replace(annotated.images, has_people=has_people[distinct_images(coco.images.ids)]),
        people=int(evaluated.sum()),
        problems=tuple(problems.found),
    )


def _check_fields(problems: Problems, faces: FaceFile, ids: list[int], box_size: bool) -> None:
    people = faces.coco.annotations
    scales = faces.scales.shaped()
    for field, text, bad in (
        ("center", "missing, or not x, y: MMPose's class reads it in place of bbox", _bad(faces.centers, 2)),
        ("scale", "missing, or not a number: MMPose's class reads it in place of bbox", _bad(faces.scales)),
        ("num_keypoints", "missing: MMPose's class raises a KeyError without it", ~people.counts.known),
        ("iscrowd", "missing: MMPose's class raises a KeyError without it", ~people.crowds.given),
    ):
        problems.add("error", text, OFFICIAL, field=field, what="annotation", ids=chosen(ids, bad))
    problems.add(
        "error",
        "zero or negative: the face is not evaluated",
        OFFICIAL,
        field="scale",
        what="annotation",
        ids=chosen(ids, scales <= 0),
    )
    if not box_size:
        return
    problems.add(
        "error",
        "missing: MMPose's class refuses an annotation without it",
        "write the side of the square in px: 200 times scale",
        field="box_size",
        what="annotation",
        ids=chosen(ids, _bad(faces.box_sizes)),
    )
    differs = np.abs(faces.box_sizes.shaped() - scales * PIXELS_PER_SCALE) > 1e-3 * faces.box_sizes.shaped()
    problems.add(
        "note",
        "not 200 times scale",
        "harmless: MMPose 1.x uses the scale, and requires box_size without using it",
        field="box_size",
        what="annotation",
        ids=chosen(ids, differs),
    )


def _check_squares(problems: Problems, faces: FaceFile, ids: list[int], num_keypoints: int) -> None:
    """Compare centres and scales with the extent of the labelled keypoints, which must be inside the crop."""
    people = faces.coco.annotations
    keypoints = people.keypoints.shaped(num_keypoints, 3)
    labelled = (keypoints[..., 2] > 0) & ~are_crowds(people.crowds)[:, None]
    points = np.where(labelled[..., None], keypoints[..., :2], np.nan)
    known = labelled.sum(axis=1) >= 2
    low, high = (np.full((len(people), 2), np.nan) for _ in range(2))
    low[known], high[known] = np.nanmin(points[known], axis=1), np.nanmax(points[known], axis=1)
    extent = (high - low).max(axis=1)
    known &= extent > 0
    scales, centers = faces.scales.shaped(), faces.centers.shaped(2)
    sides = scales * PIXELS_PER_SCALE
    wide, narrow = known & (sides > TOO_WIDE * extent), known & (scales > 0) & (sides < TOO_NARROW * extent)
    pixels = _in_pixels(scales, extent, known, wide)
    text = "looks like pixels" if pixels else f"the square is more than {TOO_WIDE:g} times as wide as the keypoints"
    _add(problems, f"{text}; it is read in units of 200 px", "divide the side in px by 200", "scale", ids, wide, known)
    text = f"the square is less than {TOO_NARROW:g} times as wide as the keypoints, which the crop cuts off"
    _add(problems, text, "divide the side of the square, in px, by 200", "scale", ids, narrow, known)
    away = np.abs(centers - (low + high) / 2).max(axis=1)
    _add(
        problems,
        "far from the keypoints: the crop does not show them",
        "write the centre of the face, x and y in px of the whole image",
        "center",
        ids,
        known & (away > OFF_CENTRE * extent),
        known,
    )


def _add(problems: Problems, text: str, advice: str, field: str, ids: list[int], bad: Bool, known: Bool) -> None:
    severity: Severity = "fatal" if bad.sum() > max(1, SOME * known.sum()) else "error"
    problems.add(severity, text, advice, field=field, what="annotation", ids=chosen(ids, bad))


def _in_pixels(scales: Float64, extent: Float64, known: Bool, wide: Bool) -> bool:
    """Return whether the scales of too wide squares are about as large as the extents of their keypoints, in px."""
    if not wide.any():
        return False
    return bool(TOO_NARROW <= np.median(scales[wide & known] / extent[wide & known]) <= TOO_WIDE)


def _bad(column: Numbers, *shape: int) -> Bool:
    strange = np.isnan(column.shaped(*shape))
    bad: Bool = strange.any(axis=1) if shape else strange
    return bad
