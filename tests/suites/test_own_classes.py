"""Data set classes: the known ones read as MMPose's do, all others are rejected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import SIZE, Hands, annotations

from harness.datasets.classes import like_coco
from harness.datasets.people import load_people
from harness.errors import SpecError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.plugins import plugins
from harness.suites.metainfo import read_metainfo

READ = {"parse_data_info", "_load_annotations", "load_data_list", "filter_data", "_is_valid_instance", "__init__"}
READ |= {"_get_topdown_data_infos", "_load_detection_results", "get_data_info", "prepare_data"}


def coco_style_classes() -> dict[str, Any]:
    """Return the COCO-style classes of MMPose, by name."""
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.datasets.datasets.base import BaseCocoStyleDataset
    from mmpose.registry import DATASETS

    return {name: found for name, found in DATASETS.module_dict.items() if issubclass(found, BaseCocoStyleDataset)}


def test_exactly_those_that_override_no_reading_are_read_like_coco() -> None:
    classes = coco_style_classes()
    base = classes.pop("BaseCocoStyleDataset")
    same = {
        name
        for name, found in classes.items()
        if all(getattr(found, method) is getattr(base, method) for method in READ)
    }
    modules = {"CocoDataset", "CrowdPoseDataset", "AicDataset", "HumanArtDataset", "PoseTrack18Dataset"}
    modules |= {"AP10KDataset", "Rhd2DDataset"}
    assert same == {plugin.name for plugin in like_coco.PLUGINS} | modules
    assert set(plugins("datasets")) >= same


@pytest.mark.parametrize("name", [plugin.name for plugin in like_coco.PLUGINS])
def test_people_equal_upstream(name: str, tmp_path: Path) -> None:
    count = len(read_metainfo({"type": name}).names)
    document = annotations(count)
    document["annotations"][1] |= {"num_keypoints": 0, "keypoints": [0] * 3 * count}
    document["annotations"][2]["bbox"] = [-5, -7.5, 30, 40]
    document["annotations"][3]["bbox"] = [SIZE[0], 5, 30, 40]
    del document["annotations"][4]["num_keypoints"]
    path = tmp_path / "val.json"
    path.write_text(json.dumps(document))
    expected = coco_style_classes()[name](
        ann_file=str(path), data_prefix={"img": str(tmp_path)}, test_mode=True, pipeline=[], serialize_data=False
    )
    people = load_people(name, path, tmp_path, None, None)
    assert people.ids.tolist() == [sample["id"] for sample in expected.data_list]
    assert len(people) == 4
    np.testing.assert_array_equal(people.boxes, np.concatenate([sample["bbox"] for sample in expected.data_list]))


@pytest.mark.parametrize(
    "name", ["PanopticHand2DDataset", "InterHand2DDoubleDataset", "HumanArt21Dataset", "MyDataset", "DoesNotExist"]
)
def test_a_class_with_its_own_reading_is_refused_whatever_the_metainfo(name: str, tmp_path: Path, harness: Any) -> None:
    hands = Hands(tmp_path / "own")
    hands.replace(hands.config, 'type="CocoDataset"', f'type="{name}"')
    said = f"config field test_dataloader.dataset.type: {name} is not supported; supported are "
    code, output, _ = harness("check", hands.suite)
    assert code == 1
    assert said in " ".join(output.split())
    assert "an entry point of the group pose_harness.datasets" in " ".join(output.split())
    code, _, error = harness("check", hands.suite, "--data", hands.data)
    assert code == 2
    assert said in error
    options = ("--data", hands.data, "--weights", "random:0", "--offline", "--out", tmp_path / "out")
    code, output, error = harness("run", hands.suite, *options)
    assert code != 0
    assert said in output + error
    with pytest.raises(SpecError, match=f"{name} is not supported"):
        load_people(name, hands.data / "hands" / "val.json", tmp_path, None, None)


@pytest.mark.parametrize(
    ("field", "value"), [("data_mode", '"bottomup"'), ("indices", "2"), ("sample_interval", "2")], ids=str
)
def test_fields_that_choose_other_samples_are_refused(field: str, value: str, tmp_path: Path, harness: Any) -> None:
    hands = Hands(tmp_path / "own")
    hands.replace(hands.config, 'data_mode="topdown"', f"{field}={value}")
    code, output, _ = harness("check", hands.suite)
    assert code == 1
    assert f"config field test_dataloader.dataset.{field}: " in " ".join(output.split())
