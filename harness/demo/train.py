"""Trains the demo suite's networks with MMPose's own training loop: `python -m harness.demo.train --out DIR`.

The configs in benchmarks/demo/ say all about the training. What comes out are state dicts in half
precision, each under the name of its config and the first digits of its sha256, as MMPose names its files;
benchmarks/demo/ holds those that were made when the suite was.
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
"""The config whose network a network begins with, as far as the two have weights of the same name and shape.

The weights in benchmarks/demo/ differ in one thing: the networks of MPII and CrowdPose began with its eighth epoch.
"""


@click.command()
@click.argument("networks", nargs=-1, type=click.Choice(list(CONFIGS)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Gets training data, logs and weights.")
@click.option("--seed", default=0, show_default=True, help="Of the initial weights, the order and the augmentation.")
def main(networks: tuple[str, ...], out: Path, seed: int) -> None:
    """Train NETWORKS, each called as its config is; all without one."""
    render_training_data(out / "data" / "demo")
    for name in sorted(networks or CONFIGS, key=lambda name: name in START):
        weights = train(read_config(CONFIGS[name]), out, START.get(name), seed)
        click.echo(write_half(weights, out, name))


def render_training_data(folder: Path) -> None:
    """Render what is trained on, unless it is there."""
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
        config: Whose `train_dataloader` reads what `render_training_data` wrote.
        out: Holds `data`; gets a folder of MMPose's logs and checkpoints.
        start: The config, trained before, whose weights it begins with.
        seed: Of everything random.
    """
    install_stand_ins()
    import mmpose.models  # noqa: F401 (registers what configs name, after the stand-in for mmcv's compiled ops)
    from mmpose.utils import register_all_modules

    register_all_modules()
    work = out / Path(config.filename).stem
    config.work_dir = str(work)
    config.randomness = {"seed": seed}
    config.launcher = "none"
    loader = config.train_dataloader.dataset
    loader.data_root = str(out / loader.data_root)
    config.train_cfg.pop("val_interval", None)
    for name in ("val", "test"):  # the harness itself evaluates
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
    runner.model.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
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
