"""Ids that several entries of an annotation file share."""

import numpy as np

from harness.arrays import Bool, Int64
from harness.datasets.coco_file import Annotations, Images
from harness.datasets.columns import Integers
from harness.datasets.inspect.problems import Problems


def check_repeated_ids(problems: Problems, images: Images, people: Annotations, advice: str) -> None:
    """Add problems of repeated ids: of different entries with one id, evaluators use the last one alone.

    Args:
        problems: The problems of the annotation file.
        images: Its images.
        people: Its annotations.
        advice: The next step for annotations that are listed several times.
    """
    differ, same = _repeated(images.ids, np.array([name or "" for name in images.names]))
    problems.add(
        "fatal",
        "used for several images: all of them are read as the last one",
        "give each image another id, and its annotations the same id",
        field="id",
        what="image",
        ids=differ,
    )
    problems.add("note", "listed several times", "harmless: one of them is used", field="id", what="image", ids=same)
    content = [
        people.image_ids.values[:, None],
        people.categories.values[:, None],
        people.keypoints.values,
        people.boxes.values,
        people.areas.values[:, None],
        people.crowds.values[:, None],
    ]
    differ, same = _repeated(people.ids, np.nan_to_num(np.concatenate(content, axis=1), nan=-1.0))
    problems.add(
        "fatal",
        "used for several annotations: the evaluator reads all of them as the last one",
        "number the annotations, such as 1, 2, 3; nothing else refers to their ids",
        field="id",
        what="annotation",
        ids=differ,
    )
    problems.add(
        "warning",
        "listed several times: each entry counts as a person, of which at most one can be found",
        advice,
        field="id",
        what="annotation",
        ids=same,
    )


def _repeated(ids: Integers, content: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[list[int], list[int]]:
    """Return the repeated ids of different entries, and the repeated ids of equal entries, both ascending."""
    rows = np.flatnonzero(ids.known)
    values, group, counts = np.unique(ids.values[rows], return_inverse=True, return_counts=True)
    shared: Bool = counts > 1
    if not shared.any():
        return [], []
    first = np.full(len(values), -1, np.intp)
    first[group[::-1]] = rows[::-1]
    unlike = (content[rows] != content[first[group]]).reshape(len(rows), -1).any(axis=1)
    differs = np.zeros(len(values), bool)
    differs[group[unlike]] = True

    different: Int64 = values[shared & differs]
    equal: Int64 = values[shared & ~differs]
    return different.tolist(), equal.tolist()
