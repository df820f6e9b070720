"""Finds the same people in the predictions of two runs, in any order."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.arrays import Indices
from harness.predictions import Predictions


@dataclass(frozen=True)
class SamePeople:
    """Indices of the people that two runs share, and of the others."""

    new: Indices
    """[n] indices in the new run."""
    old: Indices
    """[n] indices of the same people in the old run."""
    only_new: Indices
    """Indices of people of the new run that have no partner."""
    only_old: Indices
    """Indices of people of the old run that have no partner."""
    repeated: int
    """Number of people of `only_new` that are a repetition of a paired person."""


def pair_people(new: Predictions, old: Predictions) -> SamePeople:
    """Pair the people of two runs: by image, id and box; then by image and box; then by image and id.

    Ids alone are not sufficient: the id of a detected person is its position in a box file, which differs between
    box files.
    """
    boxes = [np.round(side.boxes.astype(np.float64), 2) + 0.0 for side in (new, old)]
    sides = list(zip((new, old), boxes, strict=True))
    keys = (
        lambda side, box: zip(side.image_ids.tolist(), side.person_ids.tolist(), map(tuple, box.tolist()), strict=True),
        lambda side, box: zip(side.image_ids.tolist(), map(tuple, box.tolist()), strict=True),
        lambda side, _: zip(side.image_ids.tolist(), side.person_ids.tolist(), strict=True),
    )
    left = [dict.fromkeys(range(len(side))) for side, _ in sides]
    pairs: list[tuple[int, int]] = []
    for key in keys:
        of_new, of_old = (list(key(side, box)) for side, box in sides)
        waiting = _places(of_old, left[1])
        for number in list(left[0]):
            if partners := waiting.get(of_new[number]):
                partner = partners.pop(0)
                pairs.append((number, partner))
                del left[0][number], left[1][partner]
    pairs.sort()
    numbers = np.array(pairs, np.intp).reshape(-1, 2)
    of_new, of_old = (list(keys[1](side, box)) for side, box in sides)
    known = {of_old[partner] for _, partner in pairs} | {of_new[number] for number, _ in pairs}
    return SamePeople(
        new=numbers[:, 0],
        old=numbers[:, 1],
        only_new=np.array(list(left[0]), np.intp),
        only_old=np.array(list(left[1]), np.intp),
        repeated=sum(of_new[number] in known for number in left[0]),
    )


def _places(keys: Sequence[Hashable], numbers: Iterable[int]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for number in numbers:
        places[keys[number]].append(number)
    return places
