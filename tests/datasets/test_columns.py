"""Fields of JSON records as columns: values that are numbers, and the values kept for messages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.box_file import look_like_corners
from harness.datasets.coco_file import are_crowds, image_positions, read_coco
from harness.datasets.columns import integers, number_lists, numbers

NAN = float("nan")


def fields(*values: Any) -> list[dict[str, Any]]:
    """Return a record for each value; a value of ... gives a record without the field."""
    return [{} if value is ... else {"f": value} for value in values]


def test_integers() -> None:
    clean = integers(fields(3, -1, 2**53 + 1), "f")
    assert clean.values.tolist() == [3, -1, 2**53 + 1]
    assert clean.known.all()
    assert not clean.odd
    mixed = integers(fields(3, ..., True, 1.0, "1", 2**64, None), "f")
    assert mixed.known.tolist() == [True] + [False] * 6
    assert mixed.odd == {1: None, 2: True, 3: 1.0, 4: "1", 5: 2**64, 6: None}


def test_numbers() -> None:
    column = numbers(fields(1, 2.5, True, ..., None, "3", [4], 10**400, NAN, 1e300), "f")
    np.testing.assert_array_equal(column.values, [1, 2.5, 1, NAN, NAN, NAN, NAN, NAN, NAN, 1e300])
    assert column.given.tolist() == [True] * 3 + [False] + [True] * 6
    assert column.odd == {4: None, 5: "3", 6: [4], 7: 10**400}
    assert column.known.tolist() == [True] * 3 + [False] * 5 + [True] * 2


def test_lists_have_the_length_of_most() -> None:
    column = number_lists(fields([1, 2, 3], [4, 5, True], [6, 7], ..., None, [1, None, 2], ["1", 2, 3], "123"), "f")
    np.testing.assert_array_equal(column.values[:2], [[1, 2, 3], [4, 5, 1]])
    assert column.known.tolist() == [True, True] + [False] * 6
    assert column.odd == {2: [6, 7], 4: None, 5: [1, None, 2], 6: ["1", 2, 3], 7: "123"}
    np.testing.assert_array_equal(column.shaped(3)[:3], np.array([[1, 2, 3], [4, 5, 1], [NAN] * 3]))
    np.testing.assert_array_equal(column.shaped(2, 1)[:3], np.array([[[NAN]] * 2, [[NAN]] * 2, [[6], [7]]]))


def test_a_number_too_large_for_any_in_a_list_of_another_length() -> None:
    column = number_lists(fields([1, 2], [3, 4], [10**400], [5]), "f")
    np.testing.assert_array_equal(column.shaped(1)[:, 0], [NAN, NAN, NAN, 5.0])


def test_one_long_list_fills_no_memory() -> None:
    column = number_lists([*fields([0.0] * 10**6), *fields(*[...] * 10**5)], "f")
    assert column.values.shape == (10**5 + 1, 0)
    assert list(column.odd) == [0]
    few = number_lists([*fields([1.0] * 51), *fields(*[...] * 10**5)], "f")
    assert few.known.sum() == 1


def test_of_longer_lists_the_first_numbers() -> None:
    column = number_lists(fields([1, 2, 3], [4, 5], [6]), "f", 2, longer=True)
    assert column.values[:2].tolist() == [[1, 2], [4, 5]]
    assert column.odd == {2: [6]}


@pytest.mark.parametrize("entries", [[], fields(...), fields([]), fields([], [])])
def test_nothing_to_read(entries: list[dict[str, Any]]) -> None:
    column = number_lists(entries, "f")
    assert column.values.shape == (len(entries), 0)
    assert np.isnan(column.shaped(5, 3)).all()
    assert numbers(entries[:0], "f").shaped().shape == (0,)


def test_what_is_not_finite_is_nan_throughout() -> None:
    column = number_lists(fields([1, 2], [3, NAN], [float("inf"), 4]), "f")
    np.testing.assert_array_equal(column.shaped(2), np.array([[1, 2], [NAN, NAN], [NAN, NAN]]))


def test_crowds_are_whatever_is_true() -> None:
    values: tuple[Any, ...] = (1, 0, True, False, 0.5, ..., None, "", "no", [], [0])
    assert are_crowds(numbers(fields(*values), "f")).tolist() == [value is not ... and bool(value) for value in values]


def test_positions_of_images() -> None:
    listed = integers(fields(7, "x", 3, 7, 0), "f")
    assert image_positions(listed, np.array([3, 7, 0, 5, -1])).tolist() == [2, 3, 4, -1, -1]
    assert image_positions(integers([], "f"), np.array([3])).tolist() == [-1]
    assert image_positions(integers(fields("x"), "f"), np.array([0])).tolist() == [-1]


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [], "annotations": []}))
    coco = read_coco(path)
    assert (len(coco.images), len(coco.annotations)) == (0, 0)
    assert coco.annotations.keypoints.shaped(17, 3).shape == (0, 17, 3)


def test_corners() -> None:
    sizes = np.full((100, 2), [640.0, 480.0])
    corners = np.tile([300.0, 200.0, 600.0, 400.0], (100, 1))
    widths = np.tile([300.0, 200.0, 310.0, 210.0], (100, 1))
    assert look_like_corners(corners, sizes)
    assert not look_like_corners(widths, sizes), "they end inside of the image"
    assert not look_like_corners(corners, np.full_like(sizes, np.nan)), "nothing tells where an image ends"
    assert not look_like_corners(corners[:0], sizes[:0])
    flat = corners.copy()
    flat[:2, 2] = 10
    assert not look_like_corners(flat, sizes), "two in a hundred can be no corners"
