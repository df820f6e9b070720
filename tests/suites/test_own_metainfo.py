"""Custom metainfo: found next to the suite, and rejected with file and field if it is invalid."""

from pathlib import Path
from typing import Any

import pytest
from hands import NAMES, Hands, info
from mmengine.config import ConfigDict

from harness.errors import SpecError
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite
from harness.suites.metainfo import metainfo_of_file, read_metainfo
from harness.suites.sigmas import suspicious_sigmas


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path / "own")


def protocol(hands: Hands) -> Any:
    suite = load_suite(hands.suite)
    return protocol_without_files(load_config(suite, suite.rows[0], suite.rows[0].runs["val"]))


def keypoints(**changes: Any) -> dict[int, dict[str, Any]]:
    """Return `keypoint_info` with the entry of the wrist changed."""
    return {number: {"name": name} for number, name in enumerate(NAMES)} | {0: {"name": "wrist"} | changes}


BROKEN = {
    "sigmas missing": (info(sigmas=None), "sigmas: it is missing; it must be a list of 21 numbers"),
    "sigmas empty": (info(sigmas=[]), "sigmas: it is empty; OKS, which CocoMetric computes, needs 21 numbers"),
    "sigmas of 17": (info(sigmas=[0.05] * 17), "sigmas: found 17 for 21 keypoints"),
    "sigmas of 22": (info(sigmas=[0.05] * 22), "sigmas: found 22 for 21 keypoints"),
    "one sigma": (info(sigmas=0.05), "sigmas: found 0.05; it must be a list of 21 numbers"),
    "a text": (info(sigmas=["0.05"] * 21), "sigmas[0]: found '0.05'; it must be a number above 0"),
    "zero": (info(sigmas=[0.05] * 20 + [0]), "sigmas[20]: found 0; it must be a number above 0"),
    "lists": (info(sigmas=[[0.05]] * 21), "sigmas[0]: found [0.05]; it must be a number above 0"),
    "unknown partner": (
        info(keypoint_info=keypoints(swap="thumb")),
        "keypoint_info[0].swap: 'thumb' is not the name of a keypoint (did you mean thumb4",
    ),
    "partner by number": (info(keypoint_info=keypoints(swap=1)), "keypoint_info[0].swap: 1 is not the name"),
    "from 1": (
        info(keypoint_info={number: {"name": name} for number, name in enumerate(NAMES, 1)}),
        "keypoint_info: found the number 1; number the keypoints from 0 to 20, in order",
    ),
    "texts as numbers": (
        info(keypoint_info={str(number): {"name": name} for number, name in enumerate(NAMES)}),
        "keypoint_info: found the number '0'; number the keypoints from 0 to 20",
    ),
    "another order": (
        info(keypoint_info={number: {"name": NAMES[number]} for number in reversed(range(21))}),
        "keypoint_info: found the number 20",
    ),
    "name twice": (
        info(keypoint_info=keypoints(name="thumb1")),
        "keypoint_info[1].name: 'thumb1' is already the name of keypoint 0",
    ),
    "no name": (info(keypoint_info=keypoints(name=None)), "keypoint_info[0]: found {'name': None}; it must be a dict"),
    "names alone": (info(keypoint_info=list(NAMES)), "keypoint_info: found ['wrist', "),
    "keypoint_info missing": (info(keypoint_info=None), "keypoint_info: it is missing; write a dict {0: dict("),
    "keypoint_info empty": (info(keypoint_info={}), "keypoint_info: found {}"),
    "not a dict": ("dataset_info = [1, 2]\n", "dataset_info: found [1, 2]; it must be a dict"),
    "no dataset_info": ("info = dict()\n", "`dataset_info` is missing"),
    "no Python": ("dataset_info = dict(\n", "cannot be read: SyntaxError"),
    "a failing program": ("dataset_info = 1 / 0\n", "cannot be read: ZeroDivisionError"),
    "another count": (
        info(keypoint_info={number: {"name": name} for number, name in enumerate(NAMES[:20])}, sigmas=[0.05] * 20),
        "model.head.out_channels of {config}: the network has 21 keypoints, and metainfo file {info} has 20",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_file_and_field_are_named(case: str, hands: Hands) -> None:
    text, expected = BROKEN[case]
    hands.info.write_text(text)
    with pytest.raises(SpecError) as error:
        protocol(hands)
    assert str(hands.info) in str(error.value)
    assert expected.replace("{config}", str(hands.config)).replace("{info}", str(hands.info)) in str(error.value)


STATED = {
    "nothing": ("", "the network has 21 keypoints, and metainfo is not stated, so CocoDataset's 17 keypoints are"),
    "an empty dict": ("metainfo=dict(), ", "metainfo is not stated, so CocoDataset's 17 keypoints are evaluated"),
    "classes": ('metainfo=dict(classes=("hand",)), ', "leave metainfo out to use CocoDataset's 17 keypoints"),
    "sigmas alone": ("metainfo=dict(sigmas=[0.05] * 21), ", "it has sigmas, and neither from_file nor keypoint_info"),
    "a path": ('metainfo="info.py", ', "metainfo: found 'info.py'; it must be dict(from_file=...)"),
    "a list": ("metainfo=dict(from_file=[1]), ", "metainfo.from_file: found [1]; it must be the path of a file"),
    "no such file": ('metainfo=dict(from_file="nowhere.py"), ', "there is no nowhere.py\n  put it beside"),
}


@pytest.mark.parametrize("case", STATED)
def test_what_the_config_states(case: str, hands: Hands) -> None:
    stated, expected = STATED[case]
    hands.replace(hands.config, 'metainfo=dict(from_file="info.py"),', stated)
    with pytest.raises(SpecError) as error:
        protocol(hands)
    assert expected in str(error.value)
    assert str(hands.config) in str(error.value)


def test_check_and_run_say_it_without_a_traceback(hands: Hands, harness: Any) -> None:
    hands.info.write_text(info(sigmas=None))
    for arguments, code in (
        (("check", hands.suite), 1),
        (("check", hands.suite, "--data", hands.data), 2),
        (("fetch", hands.suite, "--dry-run", "--data", hands.data), 2),
        (("run", hands.suite, "--data", hands.data, "--weights", "random:0", "--offline", "--out", "out"), 3),
    ):
        found, output, error = harness(*arguments)
        assert found == code
        assert f"metainfo file {hands.info}: sigmas: it is missing" in " ".join((output + error).split())


def test_found_beside_the_suite_from_anywhere(hands: Hands, harness: Any, tmp_path: Path) -> None:
    """The command runs in another folder; both engines find the file."""
    for engine in ("shared", "upstream"):
        options = ("--data", hands.data, "--weights", "random:0", "--offline", "--engine", engine, "--out", engine)
        assert harness("run", hands.suite, *options)[0] == 0
    other = tmp_path / "info.py"  # in the folder of the command
    other.write_text(info(sigmas=None))
    assert len(protocol(hands).scoring.sigmas) == 21


def test_found_beside_a_config_in_a_folder(hands: Hands) -> None:
    folder = hands.suite.parent / "configs"
    folder.mkdir()
    for path in (hands.config, hands.info):
        path.rename(folder / path.name)
    hands.replace(hands.suite, "config: net.py", "config: configs/net.py")
    assert protocol(hands).num_keypoints == 21


def test_a_file_counts_before_keypoints_stated_beside_it_as_for_mmpose(hands: Hands) -> None:
    metainfo = {"from_file": str(hands.info), "keypoint_info": {0: {"name": "dot"}}, "sigmas": [0.1]}
    assert read_metainfo(ConfigDict(type="CocoDataset", metainfo=metainfo)).names == NAMES


def test_suspicious_sigmas(hands: Hands, harness: Any) -> None:
    assert suspicious_sigmas(metainfo_of_file("configs/_base_/datasets/mpii.py").sigmas) is None
    assert suspicious_sigmas(()) is None
    assert "the largest is 0.25" in str(suspicious_sigmas((0.1, 0.25)))
    hands.info.write_text(info(sigmas=[0.5] * 21))
    code, output, _ = harness("check", hands.suite)
    assert code == 0
    assert "Warnings: the usual value, then the value that the config states\n  hands/net-64x64  sigmas" in output
    assert "the largest is 0.5, but from 0.025 to 0.179 in MMPose's data sets" in " ".join(output.split())
