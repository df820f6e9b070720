"""Both engines on one run, with seeded weights or with a network that points near the true keypoints."""

import copy
import hashlib
from typing import Any

import numpy as np
import torch
from upstream_config import build_dataset

from harness.arrays import Float32, Floating, Indices
from harness.codecs.interface import codec_of
from harness.datasets.people import People
from harness.judge.parity import Parity
from harness.predict.crops import crop_regions
from harness.predict.forward import Forward
from harness.predict.networks import build_network
from harness.predict.shared import predict_shared
from harness.protocol import Decoder, Protocol
from harness.run.parity import compare_engines
from harness.run.plan import Plan, Settings
from harness.suites.decoding import heatmap_head
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Suite

MULTI_STAGE = ("CPMHead", "MSPNHead")


def compare(run_id: str, settings: Settings, tflop: float | None = None) -> Parity:
    """Compare the engines on `suite/row/run`."""
    suite_name, row_id, run = run_id.split("/")
    return compare_row(load_suite(suite_name), row_id, run, settings, tflop)


def compare_row(suite: Suite, row_id: str, run: str, settings: Settings, tflop: float | None = None) -> Parity:
    """Compare the engines on a run of a suite."""
    (row,) = select_rows(suite, row_id)
    return compare_engines(suite, row, run, settings, settings.out / "log.txt", tflop)


def near_truth_network(plan: Plan) -> torch.nn.Module:
    """Return the run's network with a head that outputs Gaussians near the true keypoints of each crop's person.

    Seeded weights score near 0; this network scores between 0 and 1, so that a comparison of metrics is meaningful. It
    identifies crops by their bits; for a crop that is not bit-equal to the shared engine's it returns noise.
    """
    built = build_network(plan.config)
    network: Any = built
    people, protocol = plan.people(), plan.protocol
    heatmaps, mirrored = _both_sides(plan, people)
    codec = codec_of(protocol.decoder)
    inputs: list[torch.Tensor] = []
    answers: dict[bytes, torch.Tensor] = {}

    def collect(crops: torch.Tensor) -> torch.Tensor:
        inputs.append(crops)
        return crops

    def remember(index: Indices, _: Float32) -> None:
        for crops, given in zip(inputs, (heatmaps, mirrored), strict=False):
            answers.update({_digest(crop): given[person] for person, crop in zip(index, crops, strict=True)})
        inputs.clear()

    noise = torch.rand(1, *heatmaps.shape[1:], generator=torch.Generator().manual_seed(0))
    head = getattr(network.head, "pose_head", network.head)
    parted = _parted(codec, protocol.decoder)
    network.extract_feat = collect
    head.forward = lambda crops: parted(noise.expand(len(crops), *noise.shape[1:]).clone())
    network.head.vis_forward = lambda crops: torch.zeros(len(crops), protocol.num_keypoints)
    predict_shared(Forward(network, protocol), people, protocol, lambda _: None, remember)

    stages = plan.config.model.head.type in MULTI_STAGE
    network.extract_feat = lambda crops: torch.stack([answers.get(_digest(crop), noise[0]) for crop in crops])
    head.forward = lambda last: [noise.expand_as(last), last] if stages else parted(last.clone())
    return built


def _parted(codec: Any, decoder: Decoder) -> Any:
    """Return a function that converts joined outputs to the form of the outputs of MMPose's head."""
    if codec.name == "integral":
        return lambda outputs: (outputs, torch.zeros(len(outputs), outputs.shape[1], 1, 1))
    if codec.form == "coordinates":
        return lambda outputs: torch.cat([outputs[..., :2], outputs[..., 2:].logit()], dim=-1)
    return lambda outputs: codec.parted(outputs, decoder)


def _both_sides(plan: Plan, people: People) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the network's outputs for crops of people and for the mirrored crops, with the sigmoid applied."""
    protocol = plan.protocol
    codec: Any = codec_of(protocol.decoder)
    if codec.has_heatmaps:
        heatmaps = torch.from_numpy(_heatmaps(plan, people))
        return heatmaps, _mirrored(heatmaps.roll(-1, -1) if protocol.flip.shift else heatmaps, protocol)
    points = _points(plan, people, np.array(protocol.crop.input_size))
    scores = np.random.default_rng(1).uniform(0.1, 0.99, points.shape[:2])
    if codec.form == "vectors":
        outputs = codec.encoded(points, scores, protocol.decoder)
        outputs = torch.from_numpy(outputs + np.random.default_rng(2).normal(0, 0.01, outputs.shape).astype(np.float32))
    else:
        with_scores = plan.config.model.head.type == "RLEHead"
        outputs = torch.from_numpy(codec.encoded(points, scores if with_scores else None, protocol.crop.input_size))
    return outputs, codec.mirrored_back(outputs, protocol)


def _mirrored(heatmaps: torch.Tensor, protocol: Protocol) -> torch.Tensor:
    """Return a network's outputs for mirrored crops, computed keypoint by keypoint."""
    indices = protocol.flip.indices or protocol.flip_indices
    channels = heatmaps.shape[1] // len(indices)
    turned = heatmaps.flip(-1)
    places = [channels * keypoint + channel for keypoint in indices for channel in range(channels)]
    if channels == 3:
        turned[:, 1::3] *= -1
    return turned[:, places]


def _digest(crop: torch.Tensor) -> bytes:
    return hashlib.sha1(crop.contiguous().numpy().tobytes()).digest()


def _heatmaps(plan: Plan, people: People) -> Float32:
    """Return random heatmaps [N, C, h, w]: Gaussians of any height on noise, from exactly on the keypoint to far off.

    Keypoints that are not kept, and offsets, are noise.
    """
    width, height = plan.protocol.decoder.map_size
    centers, rng = _points(plan, people, np.array([width, height])), np.random.default_rng(3)
    shape = centers.shape[:2]
    grid_y, grid_x = np.mgrid[:height, :width]
    distance = (grid_x - centers[..., 0, None, None]) ** 2 + (grid_y - centers[..., 1, None, None]) ** 2
    peaks = rng.uniform(0.1, 1, (*shape, 1, 1)) * (255 if plan.protocol.decoder.codec == "megvii" else 1)
    drawn = peaks * (np.exp(-distance / 8) + rng.uniform(0, 0.02, distance.shape))
    head, _ = heatmap_head(plan.config)
    maps = rng.normal(0, 0.3, (len(drawn), head.out_channels, height, width))
    channels = codec_of(plan.protocol.decoder).channels
    maps[:, [channels * keypoint for keypoint in plan.protocol.decoder.kept or range(shape[1])]] = drawn
    return np.asarray(maps, np.float32)


def _points(plan: Plan, people: People, size: Floating) -> Floating:
    """Return random keypoints [N, K, 2] in crops of a size, from exactly on the true ones to far off."""
    rng = np.random.default_rng(0)
    regions = crop_regions(people, plan.protocol.crop)
    corners = regions.centers - 0.5 * regions.sizes
    keypoints = (_true_keypoints(plan, people) - corners[:, None]) / regions.sizes[:, None] * size
    shape = keypoints.shape[:2]
    far = rng.choice([0.2, 0.6, 2, 12], (*shape, 1), p=[0.4, 0.3, 0.15, 0.15])
    return np.asarray(np.clip(keypoints + far * rng.normal(size=(*shape, 2)), 0, size - 1))


def _true_keypoints(plan: Plan, people: People) -> Floating:
    """Return the keypoints [N, K, 2] of the annotated person of the image whose box is nearest to each person's."""
    config = copy.deepcopy(plan.config)
    config.test_dataloader.dataset.bbox_file = None
    dataset = build_dataset(config, plan.settings.data)
    annotated: dict[int, list[Any]] = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        annotated.setdefault(info["img_id"], []).append(info)
    found = np.zeros((len(people), plan.protocol.num_keypoints, 2))
    for number, (image_id, box) in enumerate(zip(people.image_ids.tolist(), people.boxes, strict=True)):
        if image_id in annotated:
            nearest = min(annotated[image_id], key=lambda info: float(np.abs(info["bbox"][0] - box).sum()))
            found[number] = nearest["keypoints"][0]
    return found
