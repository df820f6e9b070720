"""Metainfo read without MMPose equals MMPose's, for every data set."""

import warnings
from typing import Any

import numpy as np
import pytest
from mmengine.config import ConfigDict

from harness.errors import SpecError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.plugins import plugins
from harness.suites.metainfo import read_metainfo

SINGLE = set(plugins("datasets")) - {"CombinedDataset"}  # whose config states the metainfo
SUBSETS = [("DeepFashionDataset", {"subset": subset}) for subset in ("full", "lower", "upper", "")]


@pytest.mark.parametrize(("dataset", "settings"), [*((name, {}) for name in sorted(SINGLE)), *SUBSETS])
def test_equals_upstream(dataset: str, settings: dict[str, Any]) -> None:
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.registry import DATASETS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The class contains the metainfo of DeepFashion's subset only after an instance was created.
        expected = DATASETS.get(dataset)(**settings, lazy_init=True).metainfo
    found = read_metainfo(ConfigDict(type=dataset, **settings))
    assert list(found.names) == list(expected["keypoint_name2id"])
    assert list(found.flip_indices) == expected["flip_indices"]
    np.testing.assert_array_equal(np.array(found.sigmas, np.float32), expected["sigmas"])


def test_subsets_do_not_depend_on_what_was_read_before() -> None:
    def names(subset: str) -> tuple[str, ...]:
        return read_metainfo(ConfigDict(type="DeepFashionDataset", subset=subset)).names

    counts = {"full": 8, "upper": 6, "lower": 4}
    assert {subset: len(names(subset)) for subset in counts} == counts
    assert {subset: len(names(subset)) for subset in reversed(counts)} == counts
    stated = ConfigDict(type="DeepFashionDataset", subset="lower", metainfo={"from_file": "deepfashion_upper.py"})
    assert len(read_metainfo(stated).names) == 6


@pytest.mark.parametrize("subset", ["Lower", None, ["full"]])
def test_a_subset_that_deepfashion_does_not_have(subset: Any) -> None:
    with pytest.raises(SpecError, match=r"dataset\.subset: found .*has the subsets full, upper, lower"):
        read_metainfo(ConfigDict(type="DeepFashionDataset", subset=subset))


def test_the_config_may_name_another_file() -> None:
    dataset = ConfigDict(type="CocoDataset", metainfo={"from_file": "configs/_base_/datasets/aic.py"})
    assert len(read_metainfo(dataset).names) == 14
    with pytest.raises(SpecError, match=r"there is no nowhere/x\.py"):
        read_metainfo(ConfigDict(type="CocoDataset", metainfo={"from_file": "nowhere/x.py"}))


def test_an_unknown_data_set() -> None:
    with pytest.raises(
        SpecError, match=r"dataset\.type: HandDataset is not supported; supported are .*AicDataset, .*CocoDataset"
    ):
        read_metainfo(ConfigDict(type="HandDataset"))
