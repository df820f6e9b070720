"""The shared engine: each image is decoded once for all its people, and heatmaps are decoded in batches."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from harness.arrays import Float32, Floating, Image, Indices
from harness.errors import RunError
from harness.predict.crops import Regions, crop_regions, read_image, warp
from harness.predict.decode import decode
from harness.predict.networks import forward_heatmaps
from harness.predict.people import People
from harness.predictions import Predictions
from harness.protocol import Flip, Protocol


def predict_shared(
    network: torch.nn.Module,
    people: People,
    protocol: Protocol,
    progress: Callable[[int], object],
    heatmaps_seen: Callable[[Indices, Float32], object] | None = None,
) -> Predictions:
    """Estimate the pose of everybody in `people`.

    Args:
        network: From `build_network`, with weights.
        people: N people.
        protocol: How to crop, flip and decode, the batch size and the device.
        progress: Called with the number of people done, batch by batch.
        heatmaps_seen: Called with each batch's people, as indices [n], and their heatmaps [n, K, h, w].

    Raises:
        RunError: An image cannot be read, or the network gives heatmaps that are not finite numbers.
    """
    device = torch.device(protocol.compute.device)
    network.to(device)
    regions = crop_regions(people, protocol.crop)
    keypoints: Floating | None = None
    scores = np.empty((len(people), protocol.num_keypoints), np.float32)
    for index, crops in _batches(_crops(people, regions, protocol.crop.input_size), protocol.compute.batch_size):
        heatmaps = _heatmaps(network, crops, protocol, device)
        if heatmaps_seen:
            heatmaps_seen(index, heatmaps)
        decoded, scores[index] = decode(heatmaps, protocol.decoder, protocol.crop.input_size)
        if keypoints is None:
            keypoints = np.empty((len(people), protocol.num_keypoints, 2), decoded.dtype)
        keypoints[index] = _to_image(decoded, regions, index, protocol.crop.input_size)
        progress(len(index))
    assert keypoints is not None, "people are never empty: their readers see to that"
    return Predictions(
        person_ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        box_scores=people.scores,
        crop_areas=regions.sizes.prod(axis=1),
        keypoints=keypoints,
        keypoint_scores=scores,
    )


def _crops(people: People, regions: Regions, size: tuple[int, int]) -> Iterator[tuple[int, Image]]:
    """Yield each person's number and crop, image by image."""
    number_of = {image_id: number for number, image_id in enumerate(people.images)}
    image_numbers = np.array([number_of[image_id] for image_id in people.image_ids.tolist()])
    by_image = np.argsort(image_numbers, kind="stable")
    groups = np.split(by_image, np.flatnonzero(np.diff(image_numbers[by_image])) + 1)
    for path, group in zip(people.images.values(), groups, strict=True):
        image = read_image(path)
        for person in group.tolist():
            yield person, warp(image, regions.matrices[person], size)


def _batches(crops: Iterator[tuple[int, Image]], size: int) -> Iterator[tuple[Indices, Image]]:
    """Collect crops into batches [size, H, W, 3]; the last one may be smaller."""
    numbers: list[int] = []
    batch: list[Image] = []
    for number, crop in crops:
        numbers.append(number)
        batch.append(crop)
        if len(batch) == size:
            yield np.array(numbers), np.stack(batch)
            numbers, batch = [], []
    if batch:
        yield np.array(numbers), np.stack(batch)


@torch.inference_mode()
def _heatmaps(network: torch.nn.Module, crops: Image, protocol: Protocol, device: torch.device) -> Float32:
    """Return the heatmaps [N, K, h, w] of crops [N, H, W, 3], with the flip test if it is on."""
    preprocessor: Any = network.data_preprocessor
    # Contiguous, as upstream has it: torch picks other kernels, which round otherwise, for channels-last inputs.
    inputs = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).contiguous()
    if preprocessor._channel_conversion:
        inputs = inputs.flip(1)
    inputs = (inputs.float() - preprocessor.mean) / preprocessor.std
    heatmaps = forward_heatmaps(network, inputs)
    if protocol.flip.enabled:
        mirrored = forward_heatmaps(network, inputs.flip(-1))
        heatmaps = (heatmaps + _mirror(mirrored, protocol.flip, protocol.flip_indices)) * 0.5
    if not heatmaps.isfinite().all():
        raise RunError("the network gives heatmaps with values that are not finite numbers", "check its checkpoint")
    array: Float32 = heatmaps.cpu().numpy()
    return array


def _mirror(heatmaps: torch.Tensor, flip: Flip, flip_indices: tuple[int, ...]) -> torch.Tensor:
    """Mirror heatmaps back (`flip_heatmaps` in mmpose/models/utils/tta.py)."""
    heatmaps = heatmaps.flip(-1)[:, list(flip_indices)]
    if flip.shift:
        heatmaps[..., 1:] = heatmaps[..., :-1].clone()
    return heatmaps


def _to_image(keypoints: Floating, regions: Regions, index: Indices, input_size: tuple[int, int]) -> Floating:
    """Map keypoints [n, K, 2] from px of the input to px of the image, in double precision.

    The same map for both affines, as in mmpose/models/pose_estimators/topdown.py `add_pred_to_datasample`.
    """
    sizes = regions.sizes[index, None]
    centers = regions.centers[index, None]
    moved: Floating = keypoints / np.array(input_size) * sizes + centers - np.float32(0.5) * sizes
    return moved
