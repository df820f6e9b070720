"""A config's settings for heatmaps: flipping, decoding, and the keypoints that are kept."""

from typing import Any

import pytest
from mmengine.config import Config

from harness.errors import SpecError
from harness.suites.configs import configs_folder, read_config
from harness.suites.decoding import evaluated_keypoints
from harness.suites.ledger import protocol_without_files

COCO = "body_2d_keypoint/topdown_heatmap/coco"
COMBINE = "td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-combine"
REGRESS = "td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192"
VISIBILITY = "td-hm-vis_res50_8xb64-210e_coco-aic-256x192-merge"


def config_of(name: str, **changes: Any) -> Config:
    config = read_config(configs_folder() / COCO / f"{name}.py")
    config.merge_from_dict(changes)
    return config


def test_more_keypoints_than_are_kept() -> None:
    protocol = protocol_without_files(config_of(COMBINE))
    assert protocol.num_keypoints == len(protocol.flip_indices) == evaluated_keypoints(config_of(COMBINE)) == 17
    assert protocol.decoder.kept == tuple(range(17))
    assert protocol.flip.indices == (*protocol.flip_indices, 17, 18)  # the top of the head, and the neck


def test_without_a_flip_test_no_pairs_are_needed() -> None:
    protocol = protocol_without_files(config_of("cspnext-tiny_udp_8xb256-210e_aic-coco-256x192"))
    assert (protocol.flip.enabled, protocol.flip.indices) == (False, None)
    assert protocol.decoder.kept == tuple(range(17))


def test_three_heatmaps_a_keypoint() -> None:
    protocol = protocol_without_files(config_of(REGRESS))
    assert protocol.num_keypoints == evaluated_keypoints(config_of(REGRESS)) == 17
    assert (protocol.flip.mode, protocol.flip.indices, protocol.flip.shift) == ("udp_combined", None, False)
    assert (protocol.decoder.codec, protocol.decoder.radius_factor) == ("udp-combined", 0.0546875)


def test_a_head_within_a_head() -> None:
    protocol = protocol_without_files(config_of(VISIBILITY))
    assert (protocol.decoder.codec, protocol.decoder.heatmap_size) == ("msra", (48, 64))
    assert evaluated_keypoints(config_of(VISIBILITY)) == 17


@pytest.mark.parametrize(
    ("name", "field", "value", "problem"),
    [
        (
            COMBINE,
            "model.metainfo",
            None,
            "config field model.test_cfg.flip_test: the network has 19 keypoints to mirror, and the metainfo of "
            "CocoDataset has 17",
        ),
        (
            COMBINE,
            "model.test_cfg.output_keypoint_indices",
            [0, 1, 19],
            r"output_keypoint_indices of .*: \[0, 1, 19\] does not list 17 keypoints, as the metainfo of CocoDataset "
            "has, of the 19 of the network",
        ),
        (
            COMBINE,
            "model.test_cfg.output_keypoint_indices",
            [*range(16), 19],
            "does not list 17 keypoints",
        ),
        (
            COMBINE,
            "model.test_cfg.output_keypoint_indices",
            None,
            "config field model.head.out_channels of .*: the network has 19 keypoints, and metainfo is not stated, so "
            "CocoDataset's 17 keypoints are evaluated",
        ),
        (
            REGRESS,
            "model.head.out_channels",
            50,
            "config field model.head.out_channels of .*: 50 is not a multiple of 3",
        ),
        (
            REGRESS,
            "model.test_cfg.flip_mode",
            "heatmap",
            "config field model.test_cfg.flip_mode: heatmap is not supported; `udp_combined` is",
        ),
        (
            VISIBILITY,
            "model.head.pose_cfg.out_channels",
            18,
            r"config field model.head.pose_cfg.out_channels of .*: the network has 18 keypoints",
        ),
        (
            VISIBILITY,
            "model.head.pose_cfg.decoder.type",
            "SPR",
            r"config field model.head.pose_cfg.decoder of .*: SPR is not supported",
        ),
    ],
)
def test_what_does_not_fit(name: str, field: str, value: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        protocol_without_files(config_of(name, **{field: value}))
