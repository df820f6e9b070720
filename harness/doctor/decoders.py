"""Decoding on the device against the exact decoders, and the flip test against its definition."""

from collections.abc import Iterator

import numpy as np
import torch

from harness.arrays import Float32
from harness.codecs.interface import codec_of
from harness.doctor.check import Finding
from harness.doctor.networks import protocol_of
from harness.judge.parity import KEYPOINT_TOLERANCE
from harness.predict.decoding import begin_decoding
from harness.predict.forward import flip_tested
from harness.protocol import Decoder, Protocol, Size
from harness.suites.configs import load_config
from harness.suites.load import published_suites, select

PEOPLE = 24
KEYPOINTS = 17


def published_protocols() -> list[Protocol]:
    """Return the protocol of each published run, without its data files."""
    return [
        protocol_of(load_config(suite, row, run), "cpu", 1)
        for suite, rows in select(published_suites(), None)
        for row in rows
        if not row.cannot_run
        for run in row.runs.values()
    ]


def check_decoder(decoder: Decoder, input_size: Size, device: str) -> Finding:
    """Decode drawn outputs on the device, good and bad ones, and compare with the exact decoder."""
    finding = Finding(figures={"keypoints": 0})
    pixels, scores, certain = 0.0, 0.0, []
    for outputs in _heatmaps(decoder) if codec_of(decoder).has_heatmaps else _others(decoder, input_size):
        expected_points, expected_scores = codec_of(decoder).decode(outputs, decoder, input_size)
        if decoder.kept is not None:
            kept = list(decoder.kept)
            expected_points, expected_scores = expected_points[:, kept], expected_scores[:, kept]
        decoding = begin_decoding(torch.from_numpy(outputs).to(device), decoder, input_size)
        certain.append(float(decoding.locate().certain.mean()))
        points, values = decoding.result()
        pixels = max(pixels, float(np.abs(points - expected_points).max()))
        scale = max(1.0, float(np.abs(expected_scores).max()))
        scores = max(scores, float(np.abs(values - expected_scores).max()) / scale)
        finding.figures["keypoints"] += points.shape[0] * points.shape[1]  # type: ignore[operator]
    finding.at_most("keypoint_px", pixels, KEYPOINT_TOLERANCE)
    finding.at_most("score", scores, 1e-6)
    finding.figures["decided_on_device_share"] = round(float(np.mean(certain)), 3)
    return finding


def _heatmaps(decoder: Decoder) -> Iterator[Float32]:
    """Yield heatmaps [N, C, h, w]: one peak each, at borders as well; two, equal ones too; noise; nothing positive."""
    rng = np.random.default_rng(0)
    width, height = decoder.map_size
    peak = codec_of(decoder).peak
    assert peak
    count = codec_of(decoder).channels * (1 + max(decoder.kept or (KEYPOINTS - 1,)))
    grid_y, grid_x = np.mgrid[:height, :width]

    def peaks(low: float) -> Float32:
        shape = (PEOPLE, count, 1, 1)
        x, y = rng.uniform(low, width - low, shape), rng.uniform(low, height - low, shape)
        drawn: Float32 = np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * rng.uniform(1, 3, shape) ** 2))
        return drawn

    noise = rng.normal(0, 0.01, (PEOPLE, count, height, width))
    two = peaks(0) + peaks(0)
    for drawn in (peaks(4), peaks(-2) + noise, two, np.round(two, 1), noise, noise - 1):
        yield (peak * drawn).astype(np.float32)


def _others(decoder: Decoder, input_size: Size) -> Iterator[Float32]:
    """Yield vectors or coordinates: drawn by the codec; with equal values among them; noise; nothing positive."""
    count = 1 + max(decoder.kept or (KEYPOINTS - 1,))
    drawn = codec_of(decoder).drawn(PEOPLE, count, decoder, input_size)
    noise = np.random.default_rng(0).normal(0, 1, drawn.shape).astype(np.float32)
    yield from (drawn, np.round(drawn, 1), noise, -np.abs(noise))


def check_flip_test(protocols: list[Protocol], device: str) -> Finding:
    """Average outputs with those of mirrored crops on the device as each protocol asks for; compare numpy's bits."""
    rng = np.random.default_rng(0)
    finding = Finding(figures={"ways": 0})
    ways = {(one.flip, one.flip_indices, _shape(one)): one for one in protocols}
    for (flip, annotated, shape), protocol in ways.items():
        pairs = list(flip.indices or annotated)
        outputs, mirrored = rng.normal(0, 1, (2, 3, len(pairs) * shape[0], *shape[1:])).astype(np.float32)
        expected = outputs
        if flip.enabled:
            expected = (outputs + _mirrored_back(mirrored, pairs, protocol)) * np.float32(0.5)
        plain, other = (torch.from_numpy(maps).to(device) for maps in (outputs, mirrored))
        found = flip_tested(plain, other, protocol)
        wrong = int((found.cpu().numpy() != expected).sum())
        finding.require(wrong == 0, f"{protocol.dataset} ({flip}): {wrong} of {expected.size} values differ")
        finding.figures["ways"] += 1  # type: ignore[operator]
    return finding


def _shape(protocol: Protocol) -> tuple[int, ...]:
    """Return the shape of what is drawn of a keypoint."""
    codec = codec_of(protocol.decoder)
    if codec.form == "vectors":
        return 1, sum(protocol.decoder.simcc_lengths or ())
    return (1, 2) if codec.form == "coordinates" else (codec.channels, 64, 48)


def _mirrored_back(mirrored: Float32, pairs: list[int], protocol: Protocol) -> Float32:
    """Return what a network gives for mirrored crops [n, C, ...], mirrored back by definition."""
    codec, shift = codec_of(protocol.decoder), protocol.flip.shift
    turned: Float32
    if codec.form == "vectors":
        assert protocol.decoder.simcc_lengths
        turned, across = mirrored[:, pairs], protocol.decoder.simcc_lengths[0]
        turned[..., :across] = turned[..., :across][..., ::-1].copy()
        return turned
    if codec.form == "coordinates":
        turned = mirrored[:, pairs]
        turned[..., 0] = 1 - turned[..., 0]
        turned[..., 0] -= np.float32(shift / protocol.crop.input_size[0])
        return turned
    turned = mirrored.reshape(3, len(pairs), codec.channels, 64, 48)[..., ::-1][:, pairs].copy()
    if protocol.flip.mode == "udp_combined":
        turned[:, :, 1] *= -1
    turned = turned.reshape(mirrored.shape)
    if shift:
        turned[..., 1:] = turned[..., :-1].copy()
    return turned
