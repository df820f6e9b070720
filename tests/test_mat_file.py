"""MATLAB files compared with scipy.io, and damaged files on which scipy.io crashes."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat

from harness.errors import ObtainError
from harness.mat_file import read_mat

NUMERIC = st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@settings(max_examples=100, deadline=None)
@given(
    array=NUMERIC.flatmap(lambda kind: arrays.arrays(kind, SHAPES)),
    name=st.sampled_from(["a", "four", "headboxes_src"]),
    compressed=st.booleans(),
)
def test_equals_scipy(tmp_path_factory: pytest.TempPathFactory, array: Any, name: str, compressed: bool) -> None:
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    others = {"text": "x", "cells": np.array(["a", "bb"], object), "parts": {"x": 1}, "complex": np.ones(3) * 1j}
    savemat(path, {"first": np.arange(3.0), name: array, **others, "last": [True]}, do_compression=compressed)
    found, expected = read_mat(path, "the file"), loadmat(path)
    assert [*found] == ["first", name, "last"]
    for key, value in found.items():
        assert value.dtype == expected[key].dtype
        np.testing.assert_array_equal(value, expected[key])


def saved(folder: Path, **options: Any) -> bytes:
    savemat(folder / "a.mat", {"a": np.arange(6.0).reshape(2, 3)}, **options)
    return (folder / "a.mat").read_bytes()


TAG_OF_VALUES = struct.pack("<II", 9, 48)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TAG_OF_VALUES, struct.pack("<II", 99, 48), r"the array b'a' is damaged"),  # a crash in scipy
        (TAG_OF_VALUES, struct.pack("<II", 9, 2**32 - 1), "it ends before its values do"),
        (TAG_OF_VALUES, struct.pack("<II", 9, 40), r"has 5 values for the shape \(2, 3\)"),
        (struct.pack("<ii", 2, 3), struct.pack("<ii", 2, 2**31 - 1), "has 6 values for the shape"),
        (struct.pack("<ii", 2, 3), struct.pack("<ii", -2, -3), "is damaged"),
        (b"\0\x01IM", b"\0\x02MM", r"not a \.mat file of version 5 to 7"),
    ],
)
def test_damaged(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    data = saved(tmp_path)
    assert data.count(old) == 1
    path = tmp_path / "a.mat"
    path.write_bytes(data.replace(old, new))
    with pytest.raises(ObtainError, match=rf"the file cannot be read: .*a\.mat: .*{message}"):
        read_mat(path, "the file")


@pytest.mark.parametrize("compressed", [False, True])
def test_cut(tmp_path: Path, compressed: bool) -> None:
    data = saved(tmp_path, do_compression=compressed)
    for length in range(0, len(data), 7):
        (tmp_path / "a.mat").write_bytes(data[:length])
        try:
            assert read_mat(tmp_path / "a.mat", "the file") == {}
        except ObtainError as error:
            assert "a.mat" in str(error)  # noqa: PT017
        else:
            assert length in range(128, 136)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ObtainError, match=r"the file is missing: .*a\.mat"):
        read_mat(tmp_path / "a.mat", "the file")
