"""The categories of annotations, which COCO's evaluation scores separately."""

from functools import partial

import numpy as np

from harness.datasets.coco_file import PERSON, CocoFile
from harness.datasets.inspect.problems import Problems, chosen

LARGEST = 2**53
"""Whole numbers below it are exact in double precision."""


def check_categories(
    problems: Problems, coco: CocoFile, named: list[int], *, by_crowd: bool, species: bool, detector: bool
) -> None:
    """Add problems of categories: the evaluation scores each listed category alone, and takes the mean.

    Args:
        problems: The problems of the annotation file.
        coco: The content of the file.
        named: [M] the ids or indices of annotations for messages.
        by_crowd: The metrics are CrowdPose's.
        species: The data set has a category for each species, and published values are means over them.
        detector: People are predicted in a detector's boxes.
    """
    categories = coco.annotations.categories
    exact = np.abs(categories.values) < LARGEST
    whole = categories.known & exact & (categories.values == np.trunc(categories.values))
    add = partial(problems.add, field="category_id", what="annotation")
    add("error", "missing, or not an integer", "write 1", ids=chosen(named, ~whole))
    used = np.unique(categories.values[whole]).astype(np.int64).tolist()
    listed = None if coco.categories is None else {category.id for category in coco.categories}
    text, several = " and ".join(map(str, used[:3])) + (" and others" if len(used) > 3 else ""), len(used) > 1
    add(
        "fatal" if several else "error",
        "not among the file's `categories`, and therefore not evaluated",
        "list all categories that annotations have",
        ids=chosen(named, whole & ~np.isin(categories.values, [*listed])) if listed else (),
    )
    if detector and used != [PERSON]:
        add(
            "fatal" if several else "error",
            f"the categories are {text}, and MMPose gives all detected people category {PERSON}",
            f"give people the category {PERSON}, and leave out the others",
            ids=chosen(named, whole & (categories.values != PERSON)),
        )
    elif several and by_crowd:
        add("fatal", f"the categories are {text}; metrics by crowd index evaluate one", "keep one", ids=named)
    elif species and not several and len(listed or ()) > 1:
        problems.add(
            "warning",
            f"all annotations are of category {text}; the published numbers are means over the species of the file",
            "leave category_id as the data set's own files have it",
            field="category_id",
        )
    elif several and not species:
        problems.add(
            "warning",
            f"the categories are {text}; as in MMPose, each is evaluated alone, and metrics are means over them",
            "give all annotations one category if they are of one kind",
            field="category_id",
        )
