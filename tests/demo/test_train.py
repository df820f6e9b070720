"""The training script: MMPose's loop on rendered people, initialized from another network's weights."""

from pathlib import Path

import pytest
import torch

from harness.demo import dataset
from harness.demo.dataset import Split
from harness.demo.train import CONFIGS, START, render_training_data, train, write_half
from harness.files import sha256_file
from harness.suites.configs import read_config

FIRST, SECOND = "litehrnet-18_coco-128x96", "litehrnet-18_crowdpose-128x96"


def test_every_network_begins_with_one_that_is_trained_before() -> None:
    assert set(START) | set(START.values()) == set(CONFIGS)
    assert not set(START) & set(START.values())


def test_training_goes_on_from_another_networks_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("TRAIN", "CROWD_TRAIN", "MPII_TRAIN"):
        monkeypatch.setattr(dataset, part, Split("train", 1, 4))
    render_training_data(tmp_path / "data/demo")
    assert sorted(path.name for path in (tmp_path / "data/demo").iterdir()) == ["coco", "crowdpose", "mpii"]

    config = read_config(CONFIGS[FIRST])
    config.train_cfg.max_epochs = 1
    config.train_dataloader.batch_size = 4
    first = train(config, tmp_path, None, seed=0)
    assert all(value.isfinite().all() for value in first.values())

    config = read_config(CONFIGS[SECOND])
    config.train_cfg.max_epochs = 1
    config.train_dataloader.batch_size = 4
    config.optim_wrapper.optimizer.lr = 0.0
    config.param_scheduler = []
    second = train(config, tmp_path, FIRST, seed=1)
    kept = [name for name, value in second.items() if name in first and name.endswith("conv.weight")]
    assert len(kept) > 100
    assert all(torch.equal(first[name], second[name]) for name in kept)
    assert second["head.final_layer.weight"].shape[0] == 14

    path = write_half(second, tmp_path, SECOND)
    assert path.name == f"{SECOND}-{sha256_file(path)[:8]}.pth"
    half = torch.load(path, weights_only=True)
    assert half.keys() == second.keys()
    assert {value.dtype for value in half.values()} == {torch.float16, torch.int64}
