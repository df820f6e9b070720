"""Groupings of people: by size, by crowding, and by the number of labelled and hidden keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.metrics.diagnosis.people import AnnotatedPeople
from harness.metrics.same_image import same_image

NEIGHBOUR_IOU = 0.1
"""People whose boxes have a larger IoU are neighbours. This limit and the groups are those of Ronchi and Perona."""


@dataclass(frozen=True)
class Circumstance:
    """A value of each of M people, and the limits between the groups."""

    by: Literal["size", "crowding", "crowd index", "labelled keypoints", "hidden keypoints", "category"]
    values: Float64
    """[M]"""
    bounds: tuple[float, ...]
    """Group i holds the people with bounds[i - 1] <= value < bounds[i]."""
    names: tuple[str, ...]
    unit: Literal["px", "px²"] | None = None
    ap: tuple[float, ...] = ()
    """AP of each group, if each is evaluated alone."""


def size_by_area(areas: Float64) -> Circumstance:
    """Return the groups by COCO's limits of size; areas [M], px²."""
    return Circumstance("size", areas, (32.0**2, 96.0**2), ("small", "medium", "large"), "px²")


def size_in_thirds(sizes: Float64, people: AnnotatedPeople, unit: Literal["px", "px²"]) -> Circumstance:
    """Return three groups by size, [M], with equal numbers of people to find, unless sizes are equal."""
    chosen = sizes[people.to_find]
    bounds = tuple(np.quantile(chosen, [1 / 3, 2 / 3]).tolist()) if len(chosen) else (0.0, 0.0)
    return Circumstance("size", sizes, bounds, ("smallest third", "middle third", "largest third"), unit)


def crowding(people: AnnotatedPeople, single: Bool) -> Circumstance:
    """Return the groups by number of neighbours; only `single` people, [M], count as neighbours, crowds do not."""
    first, second = same_image(people.image_ids, people.image_ids)
    others = (first != second) & single[second]
    first, second = first[others], second[others]
    a, b = people.boxes[first], people.boxes[second]
    overlap = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None).prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - overlap
    neighbours = first[overlap > NEIGHBOUR_IOU * union]
    counts = np.bincount(neighbours, minlength=len(people.image_ids)).astype(np.float64)
    return Circumstance("crowding", counts, (1, 3), ("no neighbour", "1 or 2 neighbours", "3 or more neighbours"))


def crowd_index(values: Float64) -> Circumstance:
    """Return the groups by the image's crowd index, [M], with xtcocotools' limits for AP(E), AP(M) and AP(H)."""
    return Circumstance("crowd index", values, (0.2, 0.8), ("easy", "medium", "hard"))


def category(categories: Int64, names: Mapping[int, str], ap: Mapping[int, float]) -> Circumstance:
    """Return the groups by category, such as the species; there is one for each category with an AP of its own.

    Args:
        categories: [M] ids.
        names: The names of categories by id; a category without a name is called by its id.
        ap: AP of each category alone, by id.
    """
    known = sorted(ap)
    places = np.searchsorted(known, categories).clip(max=len(known) - 1)
    values = np.where(np.array(known)[places] == categories, places, np.nan)  # other categories have no people to find
    return Circumstance(
        "category",
        values.astype(np.float64),
        tuple(place - 0.5 for place in range(1, len(known))),
        tuple(names.get(one) or str(one) for one in known),
        ap=tuple(ap[one] for one in known),
    )


def labelled_keypoints(people: AnnotatedPeople) -> Circumstance:
    """Return the groups by number of labelled keypoints: the fewer, the more are invisible or outside of the image."""
    counts = people.labelled.sum(axis=1).astype(np.float64)
    return Circumstance("labelled keypoints", counts, (6, 11, 16), ("1 to 5", "6 to 10", "11 to 15", "16 or more"))


def hidden_keypoints(hidden: Bool) -> Circumstance:
    """Return the groups by number of keypoints that are labelled as hidden; hidden [M, K]."""
    counts = hidden.sum(axis=1).astype(np.float64)
    return Circumstance("hidden keypoints", counts, (1, 4), ("none", "1 to 3", "4 or more"))
