"""Metainfo read without MMPose equals what MMPose reads, for every data set."""

import warnings

import numpy as np
import pytest
from mmengine.config import ConfigDict

from harness.errors import SpecError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.plugins import plugins
from harness.suites.metainfo import read_metainfo


@pytest.mark.parametrize("dataset", plugins("datasets"))
def test_equals_upstream(dataset: str) -> None:
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.registry import DATASETS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = parse_pose_metainfo(DATASETS.get(dataset).METAINFO)
    found = read_metainfo(ConfigDict(type=dataset))
    assert list(found.names) == list(expected["keypoint_name2id"])
    assert list(found.flip_indices) == expected["flip_indices"]
    np.testing.assert_array_equal(np.array(found.sigmas, np.float32), expected["sigmas"])


def test_the_config_may_name_another_file() -> None:
    dataset = ConfigDict(type="CocoDataset", metainfo={"from_file": "configs/_base_/datasets/aic.py"})
    assert len(read_metainfo(dataset).names) == 14
    with pytest.raises(SpecError, match=r"there is no nowhere/x\.py"):
        read_metainfo(ConfigDict(type="CocoDataset", metainfo={"from_file": "nowhere/x.py"}))


def test_an_unknown_data_set() -> None:
    with pytest.raises(
        SpecError, match=r"dataset\.type: HandDataset is not evaluated here; known are .*AicDataset, .*CocoDataset"
    ):
        read_metainfo(ConfigDict(type="HandDataset"))
