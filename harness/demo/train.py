"""Trains the demo suite's networks with MMPose's own training loop: `python -m harness.demo.train --out DIR`.

The configs in benchmarks/demo/ define the whole training. The outputs are state dicts in half precision, named by
config and the first digits of the sha256, as MMPose names its files. benchmarks/demo/ contains the weights that were
trained when the suite was made.
"""

import hashlib
import io
from pathlib import Path

import click
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from harness.demo import dataset
from harness.openmmlab.stand_ins import install_stand_ins
from harness.suites.configs import read_config
from harness.suites.load import BENCHMARKS

CONFIGS = {path.stem: path for path in sorted((BENCHMARKS / "demo").glob("*.py"))}
START = {
    "litehrnet-18_dark_coco-128x96": "litehrnet-18_coco-128x96",
    "litehrnet-18_udp_coco-128x96": "litehrnet-18_coco-128x96",
    "litehrnet-18_mpii-128x128": "litehrnet-18_coco-128x96",
    "litehrnet-18_crowdpose-128x96": "litehrnet-18_coco-128x96",
}
"""The config whose trained weights initialize a network, for weights of the same name and shape.

For the weights in benchmarks/demo/, the networks of MPII and CrowdPose were initialized from its eighth epoch.
"""


@click.command()
@click.argument("networks", nargs=-1, type=click.Choice(list(CONFIGS)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for training data, logs, weights.")
@click.option("--seed", default=0, show_default=True, help="Seed of initial weights, order and augmentation.")
def main(networks: tuple[str, ...], out: Path, seed: int) -> None:
    """Train NETWORKS, given by the names of their configs; by default all."""
    render_training_data(out / "data" / "demo")
    for name in sorted(networks or CONFIGS, key=lambda name: name in START):
        weights = train(read_config(CONFIGS[name]), out, START.get(name), seed)
        click.echo(write_half(weights, out, name))


def render_training_data(folder: Path) -> None:
    """Render the training data, unless it exists."""
    for name, write, part in (
        ("coco", dataset.write_coco, dataset.TRAIN),
        ("crowdpose", dataset.write_crowdpose, dataset.CROWD_TRAIN),
        ("mpii", dataset.write_mpii, dataset.MPII_TRAIN),
    ):
        if not (folder / name / "annotations").is_dir():
            write(folder / name, part, lambda _done, _all: None)


def train(config: Config, out: Path, start: str | None, seed: int) -> dict[str, torch.Tensor]:
    """Train a config's network and return its weights.

    Args:
        config: A config whose `train_dataloader` reads the output of `render_training_data`.
        out: Folder that contains `data`; gets a folder of MMPose's logs and checkpoints.
        start: The config whose trained weights are used for initialization; None for random weights.
        seed: Seed of everything random.
    """
    install_stand_ins()
    import mmpose.models  # noqa: F401 (registers models, after the replacement of mmcv's compiled ops)
    from mmpose.utils import register_all_modules

    register_all_modules()
    work = out / Path(config.filename).stem
    config.work_dir = str(work)
    config.randomness = {"seed": seed}
    config.launcher = "none"
    loader = config.train_dataloader.dataset
    loader.data_root = str(out / loader.data_root)
    config.train_cfg.pop("val_interval", None)
    for name in ("val", "test"):  # the harness evaluates instead
        for field in ("dataloader", "evaluator", "cfg"):
            config[f"{name}_{field}"] = None
    config.default_hooks = {
        "logger": {"type": "LoggerHook", "interval": 50},
        "param_scheduler": {"type": "ParamSchedulerHook"},
        "checkpoint": {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 1},
    }
    if start is not None:
        config.load_from = str(out / start / "last.pth")
    runner = Runner.from_cfg(config)
    runner.model.to(memory_format=torch.channels_last)  # 20 % faster on a CPU
    runner.train()
    state: dict[str, torch.Tensor] = {key: value.cpu().contiguous() for key, value in runner.model.state_dict().items()}
    torch.save(state, work / "last.pth")
    return state


def write_half(weights: dict[str, torch.Tensor], folder: Path, name: str) -> Path:
    """Write weights in half precision to a file whose name ends in the first digits of its sha256."""
    half = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    content = io.BytesIO()
    torch.save(half, content)
    path = folder / f"{name}-{hashlib.sha256(content.getvalue()).hexdigest()[:8]}.pth"
    path.write_bytes(content.getvalue())
    return path


if __name__ == "__main__":
    main()
