"""PCKAccuracy, AUC and EPE of a config, alone and together, become one scoring in the protocol."""

from pathlib import Path
from typing import Any

import pytest
from hands import Hands
from mmengine.config import Config

from harness.errors import SpecError
from harness.metrics.families.pck import PckScoring
from harness.plugins import plugins
from harness.protocol import Protocol
from harness.suites.configs import configs_folder, load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite

COCO = 'type="CocoMetric", ann_file=data_root + "val.json"'
PCK = 'dict(type="PCKAccuracy", thr=0.2)'
READ = {
    "as hands and fashion": (
        f'[{PCK}, dict(type="AUC"), dict(type="EPE")]',
        {"threshold": 0.2, "norms": ("bbox",), "auc_norm": 30, "auc_thresholds": 20, "epe": True},
    ),
    "as animal kingdom": (
        '[dict(type="PCKAccuracy"), dict(type="AUC")]',
        {"threshold": 0.05, "norms": ("bbox",), "auc_norm": 30, "auc_thresholds": 20},
    ),
    "in another order": (
        f'[dict(type="EPE"), {PCK}]',
        {"threshold": 0.2, "norms": ("bbox",), "epe": True},
    ),
    "alone, not in a list": ('dict(type="EPE", prefix="x")', {"epe": True}),
    "other norms": (
        '[dict(type="PCKAccuracy", thr=0.5, norm_item=["torso", "bbox"])]',
        {"threshold": 0.5, "norms": ("bbox", "torso")},
    ),
    "a norm alone": ('dict(type="PCKAccuracy", norm_item="torso")', {"threshold": 0.05, "norms": ("torso",)}),
    "other AUC": ('dict(type="AUC", norm_factor=12.5, num_thrs=7)', {"auc_norm": 12.5, "auc_thresholds": 7}),
}
REFUSED = {
    "twice": (
        f'[{PCK}, dict(type="PCKAccuracy", thr=0.5)]',
        "test_evaluator: PCKAccuracy is listed 2 times\n  keep one",
    ),
    "misplaced": (f'[{PCK}, dict(type="EPE", thr=0.2)]', "test_evaluator.thr: it is not supported for EPE"),
    "misspelt": (
        'dict(type="AUC", num_thr=20)',
        "num_thr: it is not supported for AUC (did you mea",
    ),
    "a threshold of 0": ('dict(type="PCKAccuracy", thr=0)', "test_evaluator.thr: found 0; it must be above"),
    "a text as threshold": ('dict(type="PCKAccuracy", thr="0.2")', "test_evaluator.thr: found '0.2'; it must be a nu"),
    "another norm": (
        'dict(type="PCKAccuracy", norm_item="box")',
        "norm_item: found 'box'; it is one or several of bbox",
    ),
    "no norm": ('dict(type="PCKAccuracy", norm_item=[])', "norm_item: found []; it is one or several of bbox, head"),
    "no heads": ('dict(type="PCKAccuracy", norm_item="head")', "CocoDataset has no head sizes without headbox_fi"),
    "no px": ('dict(type="AUC", norm_factor=0)', "test_evaluator.norm_factor: found 0; it must be above 0 px"),
    "no thresholds": ('dict(type="AUC", num_thrs=0)', "test_evaluator.num_thrs: found 0; it must be a whole number"),
    "half a threshold": ('dict(type="AUC", num_thrs=2.5)', "test_evaluator.num_thrs: found 2.5; it must be a whole"),
    "with another family": (f"[{PCK}, dict({COCO})]", "of several: PCKAccuracy, CocoMetric\n  keep the metrics"),
}
TYPES = {"PCKAccuracy", "AUC", "EPE"}


def protocol_of(hands: Hands, stated: str) -> Protocol:
    hands.replace(hands.config, f"val_evaluator = dict({COCO})", f"val_evaluator = {stated}")
    suite = load_suite(hands.suite)
    return protocol_without_files(load_config(suite, suite.rows[0], suite.rows[0].runs["val"]))


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path / "own")


@pytest.mark.parametrize("case", READ)
def test_the_protocol_has_every_parameter(case: str, hands: Hands) -> None:
    stated, expected = READ[case]
    protocol = protocol_of(hands, stated)
    assert protocol.scoring == PckScoring.model_validate(expected)
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, hands: Hands) -> None:
    stated, expected = REFUSED[case]
    with pytest.raises(SpecError) as error:
        protocol_of(hands, stated)
    assert str(hands.config) in str(error.value)
    assert expected in str(error.value)


def test_detected_people_have_no_labels(hands: Hands) -> None:
    boxes = 'data_prefix=dict(img="images/"), bbox_file="data/hands/boxes.json"'
    hands.replace(hands.config, 'data_prefix=dict(img="images/")', boxes)
    hands.replace(hands.suite, "boxes: ground-truth", "boxes: detector")
    with pytest.raises(
        SpecError, match=r"bbox_file: detected people have no labelled keypoints, which PCKAccuracy need"
    ):
        protocol_of(hands, PCK)


def listed(config: Any) -> list[Any]:
    evaluators = config.get("test_evaluator") or []
    return evaluators if isinstance(evaluators, list) else [evaluators]


def test_mmposes_own_configs() -> None:
    """Every top-down heatmap config that is evaluated by PCK and whose data set class is known here."""
    found: dict[str, PckScoring] = {}
    for path in sorted(configs_folder().glob("*_2d_keypoint/topdown_heatmap/*/*.py")):
        if not any(f'type="{name}"' in path.read_text().replace("'", '"') for name in TYPES):
            continue
        config = Config.fromfile(path, import_custom_modules=False)
        if not {one.type for one in listed(config)} <= TYPES:
            continue
        if config.test_dataloader.dataset.type in plugins("datasets"):
            scoring = protocol_without_files(config).scoring
            assert isinstance(scoring, PckScoring)
            found[path.name] = scoring
    assert len(found) >= 20
    kinds = {name: 0.05 if "animalkingdom" in name else 0.2 for name in found}
    for name, scoring in found.items():
        expected = PckScoring(
            threshold=kinds[name], norms=("bbox",), auc_norm=30, auc_thresholds=20, epe="animalkingdom" not in name
        )
        assert scoring == expected, name
