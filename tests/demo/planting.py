"""Plants common faults in rows of the demo suite: one setting of a run is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from harness.files import sha256_file
from harness.suites.configs import configs_folder
from harness.suites.load import BENCHMARKS

WRISTS = (9, 10)


@dataclass(frozen=True)
class Fault:
    """One wrong setting."""

    codec: str
    """Codec of the row in which the fault is planted."""
    config: str = ""
    """Text that is added to the row's config."""
    row: Mapping[str, str] | None = None
    """Changed fields of the row."""
    swaps: bool = False
    """Whether the network's outputs for two keypoints are swapped."""
    setting: str = ""
    """Name of the setting in `harness explain`."""
    right: str = ""
    """The right value of the setting in `harness explain`."""


FAULTS = {
    "no flip test": Fault(
        "msra", "model = dict(test_cfg=dict(flip_test=False))", setting="flip test", right="on, shifted"
    ),
    "heatmap not shifted": Fault(
        "msra", "model = dict(test_cfg=dict(shift_heatmap=False))", setting="shift of the mirrored heatmaps", right="on"
    ),
    "heatmap shifted": Fault(
        "udp", "model = dict(test_cfg=dict(shift_heatmap=True))", setting="shift of the mirrored heatmaps", right="off"
    ),
    "plain decoder": Fault(
        "dark", "model = dict(head=dict(decoder=dict(unbiased=False)))", setting="decoder", right="dark, kernel 11"
    ),
    "wrong sigmas": Fault(
        "msra",
        'test_dataloader = dict(dataset=dict(metainfo=dict(from_file="METAINFO")))',
        setting="sigmas",
        right="coco's",
    ),
    "ground-truth boxes": Fault(
        "msra",
        "test_dataloader = dict(dataset=dict(bbox_file=None))",
        row={"boxes": "ground-truth"},
        setting="boxes",
        right="detector",
    ),
    "colours exchanged": Fault(
        "msra", "model = dict(data_preprocessor=dict(bgr_to_rgb=False))", setting="colours", right="RGB"
    ),
    "joint pair swapped": Fault("msra", swaps=True, setting="keypoint order", right="9 and 10 swapped"),
}


def plant(
    fault: Fault | None, folder: Path, row: str, change: Callable[[dict[str, torch.Tensor]], None] | None = None
) -> Path:
    """Write a suite named demo with one row of the demo suite, with or without a fault, and return its path.

    Args:
        fault: The fault of the row and its config; None for the right row.
        folder: The folder for the suite.
        row: The row's id.
        change: Changes a state dict of weights in place; None for the row's weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suite: dict[str, Any] = yaml.safe_load((BENCHMARKS / "demo.yaml").read_text(encoding="utf-8"))
    (found,) = (one for one in suite["rows"] if one["id"] == row)
    (run,) = found["runs"].values()
    config, weights = BENCHMARKS / run["config"], BENCHMARKS / run["checkpoint"]["url"]
    lines = [f'_base_ = ["{config.as_posix()}"]']
    if fault:
        (folder / "metainfo.py").write_text(_wrong_metainfo(), encoding="utf-8")
        lines.append(fault.config.replace("METAINFO", (folder / "metainfo.py").as_posix()))
        found |= fault.row or {}
        if fault.swaps:
            weights = _swapped(weights, folder / "swapped.pth")
    if change:
        state = torch.load(weights, weights_only=True)
        change(state)
        weights = folder / "changed.pth"
        torch.save(state, weights)
    (folder / "config.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run["config"] = "config.py"
    run["checkpoint"] = {"url": weights.as_uri(), "sha256": sha256_file(weights)}
    suite["rows"] = [found]
    path = folder / "demo.yaml"
    path.write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
    return path


def _wrong_metainfo() -> str:
    """Return COCO's metainfo with the same sigma for all keypoints, instead of the measured ones."""
    text = (configs_folder() / "_base_/datasets/coco.py").read_text(encoding="utf-8")
    return f"{text}\ndataset_info['sigmas'] = [0.05] * 17\n"


def _swapped(weights: Path, to: Path) -> Path:
    """Write weights with the outputs for both wrists swapped, and return their path."""
    state = torch.load(weights, weights_only=True)
    order = list(range(17))
    order[WRISTS[0]], order[WRISTS[1]] = WRISTS[1], WRISTS[0]
    for name in ("head.final_layer.weight", "head.final_layer.bias"):
        state[name] = state[name][order]
    torch.save(state, to)
    return to
