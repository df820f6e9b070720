"""Detects boxes that are not x, y, width, height, and keypoints and boxes that are not in pixels of their image."""

import numpy as np

from harness.arrays import Bool, Float64
from harness.datasets.box_file import look_like_corners
from harness.datasets.inspect.problems import Problems, Severity, chosen

CLEAR_SHARE = 0.2
"""Least share of people whose keypoints clearly fit one reading of the boxes."""
CLEAR_CORNERS, MOST = 1.5, 0.8
"""A person is clear if the overlap of one reading is this many times that of the other; the second number is the least
share of clear people that fit corners. Corners are larger than x and y in every box, unlike widths and heights."""
CLEAR_CENTRES, NEARLY_ALL = 2.0, 0.95
"""The same for centres."""
PERCENT_SIDE = 300
"""px; in images of at least this size some people are beyond the first 100 px."""
USUAL_AREA = (0.02, 3.0)
"""The median of area / (width * height) of a data set is in this range; it is about a half in COCO."""

CORNERS, CENTRES = "x1, y1, x2, y2", "the centre's x, y, width, height"


def check_units(
    problems: Problems,
    ids: list[int],
    points: Float64,
    labelled: Bool,
    boxes: Float64,
    size: Float64,
    reads_boxes: bool,
) -> bool:
    """Add problems of boxes and keypoints in other units; returns whether the boxes are x, y, width, height in px.

    Args:
        problems: The problems of the annotation file.
        ids: [M] the ids of annotations.
        points: [M, K, 2] keypoints.
        labelled: [M, K] which keypoints are labelled.
        boxes: [M, 4]
        size: [M, 2] width and height of each annotation's image, px; NaN where unknown.
        reads_boxes: Whether the result depends on the boxes.
    """
    if_read: Severity = "fatal" if reads_boxes else "warning"
    known = labelled.sum(axis=1) >= 2
    small = np.where(labelled[..., None], np.abs(points), 0).max(axis=(1, 2)) <= 1
    _add_shares(problems, ids, "keypoints", known, known & small, "fatal")
    drawn = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    tiny = drawn & (np.abs(boxes) <= 1).all(axis=1)
    _add_shares(problems, ids, "bbox", drawn, tiny, if_read)
    if tiny.any():
        return False
    if _all_in_percent(points[known], labelled[known], boxes[known & drawn], size):
        problems.add(
            "warning",
            "all coordinates are from 0 to 100, like percentages of larger images; they are read as pixels",
            "if they are percentages, multiply x by width / 100 and y by height / 100 of the image",
            field="keypoints, bbox",
        )
        return False
    reading, sure = _other_reading(points, labelled & drawn[:, None], boxes, size)
    if reading is None:
        return True
    problems.add(
        if_read if sure else "error",
        f"looks like {reading}; it is read as x, y, width, height",
        "write the left and upper edge, the width and the height of each box"
        if reading != CORNERS
        else "subtract x1 and y1 from the last two numbers of each box",
        field="bbox",
    )
    return False


def check_flags(problems: Problems, ids: list[int], keypoints: Float64, crowd: Bool) -> None:
    """Add a problem of keypoints that have coordinates and visibility 0: some tools write hidden keypoints so."""
    labelled = keypoints[..., 2] > 0
    given = (keypoints[..., 2] == 0) & (keypoints[..., :2] != 0).any(axis=-1)
    problems.add(
        "warning" if labelled.any() else "fatal",
        "coordinates with visibility 0: the evaluator treats such a keypoint as not labelled",
        "write visibility 1 for a hidden keypoint to be found, and zeros for a keypoint that is not labelled",
        field="keypoints",
        what="annotation",
        ids=chosen(ids, given.any(axis=1) & ~crowd),
    )


def check_areas(problems: Problems, ids: list[int], areas: Float64, boxes: Float64, people: Bool, advice: str) -> None:
    """Add problems of areas, [M], of labelled `people`, [M], that are not positive or not in px²."""
    bad = people & ~(areas > 0)
    problems.add(
        "fatal" if bad.any() and (bad == people).all() else "error",
        "zero, negative or missing: no prediction can match such a person",
        advice,
        field="area",
        what="annotation",
        ids=chosen(ids, bad),
    )
    sides = boxes[:, 2] * boxes[:, 3]
    measured = people & ~bad & (sides > 0)
    if measured.any():
        share = float(np.median(areas[measured] / sides[measured]))
        if not USUAL_AREA[0] <= share <= USUAL_AREA[1]:
            problems.add(
                "error",
                f"{share:.2g} times the box in the median, where about 0.5 is usual; OKS depends on it",
                "write areas in px², of the person's outline or, as MMPose does, 0.53 times width times height",
                field="area",
            )


def _add_shares(problems: Problems, ids: list[int], field: str, known: Bool, small: Bool, severity: Severity) -> None:
    problems.add(
        severity if small.sum() > known.sum() / 2 else "error",
        "from 0 to 1, like fractions of the image; they are read as pixels",
        "multiply x by the width and y by the height of the image",
        field=field,
        what="annotation",
        ids=chosen(ids, small),
    )


def _all_in_percent(points: Float64, labelled: Bool, boxes: Float64, size: Float64) -> bool:
    if len(points) < 3 or not (np.nanmin(size, initial=np.inf) >= PERCENT_SIDE):
        return False
    return bool(points[labelled].max() <= 100 and boxes.max(initial=0) <= 100)


def _other_reading(points: Float64, labelled: Bool, boxes: Float64, size: Float64) -> tuple[str | None, bool]:
    """Return the reading of boxes that clearly fits their keypoints better than x, y, width, height, and its certainty.

    Without usable keypoints, boxes that end far outside of their images indicate corners. None without such a reading.
    """
    people = np.flatnonzero(labelled.sum(axis=1) >= 2)
    inside = labelled[people][..., None]
    extent = np.concatenate(
        [
            np.where(inside, points[people], np.inf).min(axis=1, initial=np.inf),
            np.where(inside, points[people], -np.inf).max(axis=1, initial=-np.inf),
        ],
        axis=1,
    )
    people, extent = people[(extent[:, 2:] > extent[:, :2]).all(axis=1)], extent[(extent[:, 2:] > extent[:, :2]).all(1)]
    if not len(people):
        return (CORNERS, True) if look_like_corners(boxes, size) else (None, False)
    start, rest = boxes[people, :2], boxes[people, 2:]
    as_read = _overlap(np.concatenate([start, start + rest], axis=1), extent)
    votes = 0
    for reading, corners, clearly, needed in (
        (CORNERS, np.concatenate([start, rest], axis=1), CLEAR_CORNERS, MOST),
        (CENTRES, np.concatenate([start - rest / 2, start + rest / 2], axis=1), CLEAR_CENTRES, NEARLY_ALL),
    ):
        if reading == CORNERS and not (rest > start).all(axis=1).mean() > 0.99:
            continue
        other = _overlap(corners, extent)
        clear = np.maximum(as_read, other) > clearly * np.minimum(as_read, other)
        votes = max(votes, int(clear.sum()))
        if clear.any() and (other > as_read)[clear].mean() >= needed and clear.mean() >= CLEAR_SHARE:
            return reading, int(clear.sum()) > 1
    if votes < 2 and look_like_corners(boxes, size):
        return CORNERS, True
    return None, False


def _overlap(boxes: Float64, others: Float64) -> Float64:
    """Return the intersection over union of N pairs of boxes x1, y1, x2, y2, [N]."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = sides.clip(min=0).prod(axis=1)
    areas = [(corners[:, 2:] - corners[:, :2]).clip(min=0).prod(axis=1) for corners in (boxes, others)]
    overlap: Float64 = shared / np.maximum(areas[0] + areas[1] - shared, np.spacing(1))
    return overlap
