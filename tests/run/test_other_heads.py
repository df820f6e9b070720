"""Heads, codecs and sizes that only MMPose's pages list: the shared engine compared with MMPose's own test loop.

The rows belong to a suite made here, on the miniature of COCO. Networks are as small as each kind allows, and either
seeded or made to point near the true keypoints.
"""

from typing import Any, NamedTuple

import pytest
import yaml
from engines import compare_row, near_truth_network

from harness.judge.parity import Parity
from harness.openmmlab import xtcocotools_ext
from harness.run.plan import Plan, Settings
from harness.suites.configs import configs_folder
from harness.suites.load import load_suite
from harness.suites.schema import Suite

COCO = "body_2d_keypoint/topdown_heatmap/coco/"
LITE = f"{COCO}td-hm_litehrnet-18_8xb64-210e_coco-256x192.py"
FEW_TFLOP = 0.02


class Case(NamedTuple):
    """A row."""

    config: str
    """A config of MMPose, or the text of a custom one, which follows `_base_ = LITE`."""
    size: tuple[int, int] = (192, 256)
    overrides: dict[str, Any] | None = None


def other(codec: str, size: tuple[int, int], heatmap: tuple[int, int], test: str = "") -> Case:
    """Return a small network with a codec for other sizes."""
    pipeline = (
        "[dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=0.8), "
        f"dict(type='TopdownAffine', input_size={size}), dict(type='PackPoseInputs')]"
    )
    deconvs = (32 * heatmap[0] // size[0]).bit_length() - 1
    text = f"""
model = dict(
    backbone=dict(_delete_=True, type='ResNet', depth=18, stem_channels=8, base_channels=8),
    head=dict(
        in_channels=64, deconv_out_channels={(16,) * deconvs}, deconv_kernel_sizes={(4,) * deconvs},
        decoder=dict(_delete_=True, input_size={size}, heatmap_size={heatmap}, {codec}),
    ),
    test_cfg=dict({test}),
)
val_dataloader = dict(dataset=dict(pipeline={pipeline}))
test_dataloader = dict(dataset=dict(pipeline={pipeline}))
"""
    return Case(text, size)


def coordinates(head: str, test: str = "flip_test=True", stages: tuple[int, ...] = (3,), more: str = "") -> Case:
    """Return a small network whose head makes no heatmaps."""
    text = f"""
model = dict(
    backbone=dict(
        _delete_=True, type='ResNet', depth=18, stem_channels=8, base_channels=8, out_indices={stages}
    ),
    head=dict(_delete_=True, in_channels=64, {head}),
    test_cfg=dict(_delete_=True, {test}),
)
{more}
"""
    return Case(text)


MSRA = "type='MSRAHeatmap', sigma=2"
CASES = {
    "vipnas-mbv3": Case(f"{COCO}td-hm_vipnas-mbv3_8xb64-210e_coco-256x192.py"),
    "vipnas-res50": Case(f"{COCO}td-hm_vipnas-res50_8xb64-210e_coco-256x192.py"),
    "mspn-2stg": Case(f"{COCO}td-hm_2xmspn50_8xb32-210e_coco-256x192.py"),
    "visibility": Case(f"{COCO}td-hm-vis_res50_8xb64-210e_coco-aic-256x192-merge.py"),
    "aic-coco-udp": Case(
        f"{COCO}cspnext-tiny_udp_8xb256-210e_aic-coco-256x192.py",
        overrides={"data_prefix": {"img": "coco/val2017/"}},
    ),
    "coco-aic-combine": Case(f"{COCO}td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-combine.py"),
    "udp-regress": Case(f"{COCO}td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192.py"),
    "pvtv2": Case(f"{COCO}td-hm_pvtv2-b2_8xb64-210e_coco-256x192.py"),
    "vit-of-humanart": Case(
        "body_2d_keypoint/topdown_heatmap/humanart/td-hm_ViTPose-large_8xb64-210e_humanart-256x192.py",
        overrides={
            "type": "CocoDataset",
            "data_root": "data/coco/",
            "ann_file": "annotations/person_keypoints_val2017.json",
            "data_prefix": {"img": "val2017/"},
            "test_evaluator.ann_file": "data/coco/annotations/person_keypoints_val2017.json",
            "model.backbone.type": "mmpretrain.VisionTransformer",
            "model.backbone.out_type": "featmap",
            "model.backbone.output_cls_token": None,
            # as small as possible for a test
            "model.backbone.arch": "deit-small",
            "model.head.in_channels": 384,
        },
    ),
    "hand-224": other(MSRA, (224, 224), (56, 56)),
    "animal-160": other(f"{MSRA}, unbiased=True", (160, 160), (40, 40)),
    "crowd-320": other(MSRA, (256, 320), (64, 80)),
    "cpm-384": other(MSRA, (288, 384), (36, 48)),
    "jhmdb-2deconv": other(MSRA, (256, 256), (32, 32)),
    "megvii-384": other("type='MegviiHeatmap', kernel_size=9", (288, 384), (72, 96), "shift_heatmap=False"),
    "udp-plain-affine": other("type='UDPHeatmap', sigma=2", (256, 256), (64, 64), "shift_heatmap=False"),
    "no-flip": other(MSRA, (192, 256), (48, 64), "flip_test=False"),
    "dark-17": other(f"{MSRA}, unbiased=True, blur_kernel_size=17", (288, 384), (72, 96)),
}
GAU = """gau_cfg=dict(
    hidden_dims=16, s=8, expansion_factor=2, dropout_rate=0., drop_path=0., act_fn='SiLU', use_rel_bias=False,
    pos_enc=False,
)"""
SIMCC = """out_channels=17, input_size=(192, 256), in_featuremap_size=(6, 8), simcc_split_ratio=2.0, decoder=dict(
    type='SimCCLabel', input_size=(192, 256), simcc_split_ratio=2.0, sigma=(4.9, 5.66), normalize=False, {}
)"""
DECONVS = "deconv_out_channels=(16, 16, 16)"
INTEGRAL = f"""num_joints=17, in_featuremap_size=(6, 8), {DECONVS}, decoder=dict(
    type='IntegralRegressionLabel', input_size=(192, 256), heatmap_size=(48, 64), sigma=2.0
)"""
REGRESSION = "num_joints=17, decoder=dict(type='RegressionLabel', input_size=(192, 256))"
RLE = f"type='RLEHead', loss=dict(type='RLELoss', use_target_weight=True), {REGRESSION}"
POOLED = "model.update(neck=dict(type='GlobalAveragePooling'))"
RLE_SCORES = f"{POOLED}\ntest_evaluator = val_evaluator = dict(score_mode='bbox_rle')"
RTMW = SIMCC.format("decode_visibility=True")
CASES |= {
    "simcc": coordinates(f"type='SimCCHead', {DECONVS}, {SIMCC.format('')}"),
    "simcc-without-deconvs": coordinates(f"type='SimCCHead', deconv_out_channels=None, {SIMCC.format('')}"),
    "rtmpose": coordinates(f"type='RTMCCHead', {GAU}, {SIMCC.format('')}"),
    "rtmpose-no-flip": coordinates(f"type='RTMCCHead', {GAU}, {SIMCC.format('')}", "flip_test=False"),
    "rtmw": coordinates(f"type='RTMWHead', {GAU}, {RTMW}", stages=(2, 3)),
    "regression": coordinates(f"type='RegressionHead', {REGRESSION}", more=POOLED),
    "regression-no-shift": coordinates(
        f"type='RegressionHead', {REGRESSION}", "flip_test=True, shift_coords=False", more=POOLED
    ),
    "rle": coordinates(RLE, more=RLE_SCORES),
    "rle-no-flip": coordinates(RLE, "flip_test=False", more=RLE_SCORES),
    "integral": coordinates(f"type='IntegralRegressionHead', {INTEGRAL}"),
    "dsnt": coordinates(f"type='DSNTHead', {INTEGRAL}"),
    "debias": coordinates(f"type='DSNTHead', debias=True, beta=10., {INTEGRAL}"),
}
COORDINATES = [
    "simcc",
    "rtmpose",
    "rtmpose-no-flip",
    "rtmw",
    "regression",
    "regression-no-shift",
    "rle",
    "rle-no-flip",
    "integral",
]
NEAR_TRUTH = [
    *COORDINATES,
    "visibility",
    "aic-coco-udp",
    "coco-aic-combine",
    "udp-regress",
    "mspn-2stg",
    "hand-224",
    "animal-160",
    "cpm-384",
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder, rows = tmp_path_factory.mktemp("suite"), []
    for name, case in CASES.items():
        config = case.config
        if not config.endswith(".py"):
            config = f"{name}.py"
            (folder / config).write_text(f"_base_ = {str(configs_folder() / LITE)!r}\n{case.config}")
        overrides = [{"field": f, "value": value, "reason": "so"} for f, value in (case.overrides or {}).items()]
        checkpoint = {"url": "https://example.com/none-00000000.pth", "sha256": "00000000"}
        rows.append(
            {
                "id": name,
                "label": name,
                "input_size": f"{case.size[1]}x{case.size[0]}",
                "boxes": "ground-truth",
                "runs": {"val": {"config": config, "checkpoint": checkpoint}},
                "overrides": overrides,
            }
        )
    document = {
        "schema_version": 1,
        "name": "heads",
        "title": "Heads",
        "dataset": {
            "name": "COCO",
            "num_keypoints": 17,
            "annotations": "coco/annotations/person_keypoints_val2017.json",
            "images": "coco/val2017",
        },
        "metrics": {"AP": {"label": "AP", "unit": "fraction", "decimals": 3}},
        "rows": rows,
    }
    (folder / "heads.yaml").write_text(yaml.safe_dump(document))
    return load_suite(folder / "heads.yaml")


def check(parity: Parity) -> None:
    assert parity.people > 0
    assert parity.keypoint_max_px <= 0.01
    assert parity.score_max <= 1e-5
    assert parity.equal


@pytest.mark.parametrize("name", CASES)
def test_seeded_weights(name: str, suite: Suite, settings: Settings) -> None:
    parity = compare_row(suite, name, "val", settings, FEW_TFLOP)
    check(parity)
    assert parity.ties <= 0.1 * parity.keypoints_compared


@pytest.mark.parametrize("name", NEAR_TRUTH)
def test_poses_near_the_truth(name: str, suite: Suite, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "network", near_truth_network)
    parity = compare_row(suite, name, "val", settings)
    assert parity.people == parity.people_total
    check(parity)
    assert (parity.metric_max is None) == (xtcocotools_ext.install() == "stand-in")
