"""All 76 published networks and the demo's are built from wheels alone, and give heatmaps of the size decoded."""

import pytest
import torch
from fake_cuda import RecordableOnMeta

from harness.predict.networks import build_network, forward_head
from harness.suites.configs import load_config
from harness.suites.load import load_suite, suite_names
from harness.suites.schema import Row, Run, Suite

RUNS: dict[str, tuple[Suite, Row, Run]] = {
    run.config: (suite, row, run)
    for suite in map(load_suite, suite_names())
    for row in suite.rows
    for run in row.runs.values()
}
SMALL = 30e6
"""Parameters; larger networks are built and not run."""


def test_there_are_76_configs_and_the_demos() -> None:
    assert len(RUNS) == 76 + 5


@pytest.mark.parametrize("name", RUNS)
def test_build_and_run(name: str) -> None:
    """Also that a CUDA graph can have all of it."""
    config = load_config(*RUNS[name])
    network = build_network(config)
    assert not network.training
    assert not any(isinstance(module, torch.nn.SyncBatchNorm) for module in network.modules())
    codec = config.model.head.decoder
    width, height = codec.input_size
    if sum(parameter.numel() for parameter in network.parameters()) < SMALL:
        with torch.inference_mode():
            heatmaps = forward_head(network, torch.zeros(1, 3, height, width))
        assert heatmaps.shape == (1, config.model.head.out_channels, *codec.heatmap_size[::-1])
    network, crops = network.to("meta"), torch.zeros(1, 3, height, width, device="meta")
    with torch.inference_mode(), RecordableOnMeta():  # type: ignore[no-untyped-call]
        forward_head(network, crops)
