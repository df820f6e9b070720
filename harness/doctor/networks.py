"""A check of the doctor: each distinct network of the published runs, seeded, on the device and on the CPU."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.arrays import Float32, Indices
from harness.codecs.interface import codec_of
from harness.datasets.people import People
from harness.doctor.check import Finding
from harness.doctor.people import rendered_people, settled
from harness.files import content_key
from harness.predict.forward import Forward, SharedForward
from harness.predict.shared import Estimator, predict_together
from harness.predict.sources.mmpose import PLUGIN, architecture, backbone
from harness.predictions import Predictions
from harness.protocol import Compute, Protocol
from harness.suites.configs import load_config
from harness.suites.decoding import heatmap_head, read_decoder
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite, published_suites, select, select_rows

PEOPLE = 2
KEYPOINT_LIMIT, SCORE_LIMIT = 0.05, 1e-3
"""Largest differences between device and CPU: keypoints in image px, scores as fractions."""
SEED = 0

RunId = tuple[str, str, str]
"""Names of suite, row and run."""


@dataclass(frozen=True)
class DistinctNetwork:
    """A network of one or more runs."""

    runs: tuple[RunId, ...]
    family: str
    """The type of the backbone."""

    @property
    def name(self) -> str:
        """The first run, and the number of other runs."""
        return " ".join(["/".join(self.runs[0]), *([f"and {len(self.runs) - 1} more"] if len(self.runs) > 1 else [])])


def distinct_networks() -> list[DistinctNetwork]:
    """Return the networks of all published runs: one of each family first, small ones before large ones.

    Two runs have the same network if model, input size and peak height are equal, because seeded weights depend on
    these. Published tables start with their best and largest networks, so reversed rows go from cheap to expensive.
    """
    groups: dict[str, list[RunId]] = {}
    families: dict[str, str] = {}
    for suite, rows in sorted(select(published_suites(), None), key=lambda one: -len(one[1])):
        for row in reversed(rows):
            for run in row.runs if not row.cannot_run else ():
                key, family = _identity(load_config(suite, row, row.runs[run]))
                groups.setdefault(key, []).append((suite.name, row.id, run))
                families[key] = family
    found = [DistinctNetwork(tuple(runs), families[key]) for key, runs in groups.items()]
    first = {network.family: network for network in reversed(found)}
    return sorted(found, key=lambda network: first[network.family] is not network)


def _identity(config: Config) -> tuple[str, str]:
    """Return a key, equal for equal seeded networks, and the family."""
    decoder = read_decoder(heatmap_head(config)[0].decoder, "config field model.head.decoder")
    return content_key(architecture(config), codec_of(decoder).peak), backbone(config)


def protocol_of(config: Config, device: str, batch_size: int, **compute: Any) -> Protocol:
    """Return the protocol of a config; its data files need not exist."""
    how = Compute(engine="shared", device=device, batch_size=batch_size, **compute)
    return protocol_without_files(config, how)


def read_config_of(run: RunId) -> Config:
    """Return the config of a published run."""
    suite = load_suite(run[0])
    (row,) = select_rows(suite, run[1])
    return load_config(suite, row, row.runs[run[2]])


def seeded_network(config: Config) -> Any:
    """Return the config's network with seeded weights, on the CPU."""
    return PLUGIN.network(config, seed=SEED)


def check_network(runs: Sequence[RunId], device: str, data: Path) -> Finding:
    """Compare the predictions of the device and the CPU for the same people with the same network.

    Args:
        runs: The runs with this network.
        device: The device.
        data: The data folder that `render_people` filled.
    """
    configs = [read_config_of(run) for run in runs]
    network = seeded_network(configs[0])
    people = rendered_people(data, PEOPLE)
    seconds, outcomes = [], []
    for place in ("cpu", device):  # the network is moved from the CPU to the device
        start = time.perf_counter()
        every = (protocol_of(config, place, len(people)) for config in configs)
        protocols = list({_estimated(protocol): protocol for protocol in every}.values())
        outcomes.append(_predict(network, protocols, people))
        seconds.append(round(time.perf_counter() - start, 2))

    finding = Finding()
    compared = ties = 0
    pixels = scores = values = 0.0
    for protocol, (exact, exact_maps), (found, found_maps) in zip(protocols, *outcomes, strict=True):
        mask = settled(protocol.decoder, exact_maps)
        compared += int(mask.sum())
        ties += int((~mask).sum())
        apart = np.abs(found.keypoints - exact.keypoints).max(axis=-1)
        pixels = max(pixels, float(apart[mask].max(initial=0)))
        scores = max(scores, float(np.abs(found.keypoint_scores - exact.keypoint_scores)[mask].max(initial=0)))
        values = max(values, float(np.abs(found_maps - exact_maps).max() / np.abs(exact_maps).max()))
    finding.figures |= {"people": len(people), "protocols": len(protocols), "compared": compared, "ties": ties}
    finding.at_most("keypoint_px", pixels, KEYPOINT_LIMIT)
    finding.at_most("score", scores, SCORE_LIMIT)
    finding.add("heatmap_share", values)
    finding.figures |= {"cpu_s": seconds[0], "device_s": seconds[1]}
    finding.require(compared > ties, f"only {compared} of {compared + ties} keypoints can be compared")
    return finding


def _estimated(protocol: Protocol) -> str:
    """Return the fields of a protocol that predictions of given people depend on, as JSON."""
    return protocol.model_dump_json(include={"crop", "flip", "flip_indices", "decoder", "num_keypoints"})


def _predict(network: Any, protocols: Sequence[Protocol], people: People) -> list[tuple[Predictions, Float32]]:
    """Return the predictions of each protocol and its outputs [N, C, ...], flip test included."""
    shared = SharedForward(Forward(network, protocols[0]))
    seen: list[dict[int, Float32]] = [{} for _ in protocols]

    def look_with(number: int) -> Any:
        def look(index: Indices, outputs: Float32) -> None:
            seen[number].update(zip(index.tolist(), outputs, strict=True))

        return look

    estimators = [
        Estimator(shared.of(protocol), protocol, lambda _: None, look_with(number))
        for number, protocol in enumerate(protocols)
    ]
    found = []
    for outcome, maps in zip(predict_together(estimators, people), seen, strict=True):
        if isinstance(outcome, Exception):
            raise outcome
        found.append((outcome, np.stack([maps[person] for person in range(len(people))])))
    return found
