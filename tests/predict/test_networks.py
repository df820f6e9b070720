"""All of MMPose's top-down heatmap networks can be built from wheels, and return heatmaps of the decoder's size."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import RecordableOnMeta
from mmengine.config import Config

from harness.errors import RunError
from harness.predict.networks import build_network, forward_head, without_initialisers
from harness.suites.configs import configs_folder, load_config, read_config
from harness.suites.decoding import heatmap_head
from harness.suites.load import DEMO, load_suite
from harness.suites.overrides import override
from harness.suites.schema import Override

HUMANART = "body_2d_keypoint/topdown_heatmap/humanart/td-hm_ViTPose-{}_8xb64-210e_humanart-256x192.py"
BROKEN = {HUMANART.format("large"), HUMANART.format("huge")}
"""Their backbone was in mmcls; mmpretrain has it under another name and with another argument."""
MENDED = {
    "model.backbone.type": "mmpretrain.VisionTransformer",
    "model.backbone.out_type": "featmap",
    "model.backbone.output_cls_token": None,
}


@cache
def configs() -> dict[str, Config]:
    """Return MMPose's top-down heatmap configs by their path, and the demo's."""
    folder, suite = configs_folder(), load_suite(DEMO)
    paths = sorted(folder.glob("*/topdown_heatmap/*/*.py"))
    found = {path.relative_to(folder).as_posix(): read_config(path) for path in paths}
    return found | {run.config: load_config(suite, row, run) for row in suite.rows for run in row.runs.values()}


def build(config: Config) -> torch.nn.Module:
    with without_initialisers():
        return build_network(config)


def kind(config: Config) -> tuple[Any, ...]:
    """Return the parts of a config that decide which code makes its heatmaps, and their size."""
    head, _ = heatmap_head(config)
    sizes = tuple(head.decoder.input_size), tuple(head.decoder.heatmap_size)
    return config.model.backbone.type, config.model.head.type, head.get("num_stages"), *sizes


def of_each_kind() -> list[str]:
    """Return one config of each kind."""
    return list({kind(config): name for name, config in reversed(configs().items()) if name not in BROKEN}.values())


@pytest.mark.long
def test_all_but_two_are_built() -> None:
    broken = set()
    network: Any
    for name, config in configs().items():
        try:
            network = build(config)
        except RunError:
            broken.add(name)
            continue
        assert not network.training
        assert not any(isinstance(module, torch.nn.SyncBatchNorm) for module in network.modules())
        assert network.head.out_channels == heatmap_head(config)[0].out_channels
    assert len(configs()) >= 270 + 5
    assert broken == BROKEN
    for name in BROKEN:
        with pytest.raises(RunError, match="mmcls"):
            build(configs()[name])


@pytest.mark.parametrize("name", of_each_kind())
def test_heatmaps(name: str) -> None:
    """The outputs have the decoder's size, and a CUDA graph can contain the whole computation."""
    config = configs()[name]
    head, _ = heatmap_head(config)
    width, height = head.decoder.input_size
    network = build(config).to("meta")
    with torch.inference_mode(), RecordableOnMeta():  # type: ignore[no-untyped-call]
        heatmaps = forward_head(network, torch.zeros(1, 3, height, width, device="meta"))
    assert heatmaps.shape == (1, head.out_channels, *head.decoder.heatmap_size[::-1])


@pytest.mark.parametrize("size", ["large", "huge"])
def test_humanarts_vitpose_has_cocos_weights_where_a_row_mends_it(size: str) -> None:
    name = HUMANART.format(size)
    config = read_config(Path(configs_folder(), name))
    override(config, [Override(field=field, value=value, reason="so") for field, value in MENDED.items()])

    def weights(config: Config) -> dict[str, torch.Size]:
        return {name: tensor.shape for name, tensor in build(config).state_dict().items()}

    assert weights(config) == weights(configs()[name.replace("humanart", "coco")])
