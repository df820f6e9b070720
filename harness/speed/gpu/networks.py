"""The distinct networks of COCO's table, with weights that give values of ordinary size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config

from harness.files import content_key
from harness.predict.networks import build_network, without_initialisers
from harness.predict.sources.mmpose import architecture
from harness.protocol import Compute, Precision, Protocol
from harness.run.plan import LARGE_BATCH
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite, select_rows

CHOSEN = ("resnet-50-256x192", "litehrnet-18-256x192", "hrnet-w32-256x192", "vitpose-s-256x192")
"""Rows whose networks are measured first, and in all ways."""


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network of one or several rows."""

    rows: tuple[str, ...]
    configs: tuple[Config, ...]
    """One config per row."""

    def protocols(self, device: torch.device, most: int | None = None) -> Iterator[tuple[str, Protocol]]:
        """Yield each row with its protocol in bf16, with the batch size of a run, limited to `most`."""
        for row, config in zip(self.rows, self.configs, strict=True):
            yield row, run_protocol(config, device, "bf16", most)


def run_protocol(
    config: Config, device: torch.device, precision: Precision, most: int | None, compiled: bool = False
) -> Protocol:
    """Return the protocol of a config with the batch size of a run on a device, limited to `most`."""
    batch = config.test_dataloader.batch_size
    if device.type == "cuda" and (precision != "fp32" or compiled):
        batch = max(batch, LARGE_BATCH)
    compute = Compute(
        engine="shared",
        device=str(device),
        precision=precision,
        compiled=compiled,
        batch_size=min(batch, most) if most else batch,
    )
    return protocol_without_files(config, compute)


def measured_networks(patterns: str | None) -> list[MeasuredNetwork]:
    """Return the networks of the matching rows of COCO: first those of `CHOSEN`, then the others by size.

    Raises:
        UsageError: No row matches.
        ObtainError: MMPose is not installed.
    """
    suite = load_suite("coco")
    found: dict[str, list[tuple[str, Config]]] = {}
    for row in reversed(select_rows(suite, patterns)):
        (run,) = row.runs.values()
        config = load_config(suite, row, run)
        found.setdefault(content_key(architecture(config)), []).append((row.id, config))
    networks = [MeasuredNetwork(*map(tuple, zip(*group, strict=True))) for group in found.values()]
    return sorted(networks, key=_place)


def _place(network: MeasuredNetwork) -> int:
    return min((CHOSEN.index(row) for row in network.rows if row in CHOSEN), default=len(CHOSEN))


@torch.no_grad()
def ordinary_network(config: Config, device: torch.device) -> Any:
    """Return a config's network on a device, with random weights that keep activations at about the same size.

    Networks of zeros or of uninitialized memory may be faster or slower than others. Seeded weights (`seeded.py`) need
    a forward pass on the CPU, which takes longer than the measurement on a GPU.
    """
    with without_initialisers():
        network = build_network(config)
    network = network.to(device)
    generator = torch.Generator(device).manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, 0.7 / parameter[0].numel() ** 0.5, generator=generator)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.2, generator=generator)
        else:
            parameter.fill_(1)
    return network


def random_crops(count: int, protocol: Protocol, device: torch.device) -> torch.Tensor:
    """Return crops [count, H, W, 3] of random bytes on a device."""
    width, height = protocol.crop.input_size
    generator = torch.Generator(device).manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, device=device, generator=generator)


def of_rows(networks: Sequence[MeasuredNetwork], rows: tuple[str, ...]) -> Iterator[MeasuredNetwork]:
    """Yield the networks of at least one of the rows."""
    yield from (network for network in networks if set(network.rows) & set(rows))
