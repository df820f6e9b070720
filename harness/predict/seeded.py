"""Seeded weights: random, the same in each run, with outputs that decode like those of a trained network.

With the usual initial weights, a heatmap is flat noise, for which two correct engines give different keypoints: the
maximum is nearly a tie, and the refinement divides by nearly zero. Here kernels are smooth, one pass over synthetic
crops sets the scale of each layer, and the last layer combines features to maps with distinct, round, positive peaks
that depend on the image. If a head has no maps, each value of its vectors or coordinates depends on the image.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import comb, sqrt
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from harness.arrays import Float32, Floating
from harness.codecs.interface import Codec
from harness.predict.networks import codec_of_config, forward_head
from harness.predict.threads import torch_threads
from harness.suites.decoding import heatmap_head

_CROPS = 4
_SLOPE = 0.8
"""Weight of a kernel's first derivatives relative to its smoothing part."""
_FINE, _COARSE, _BORDER = 7, 21, 4
"""Heatmap px: least size, largest size and least distance from the border of good peaks."""


@torch.no_grad()
def seed_weights(network: nn.Module, config: Config, seed: int) -> None:
    """Set the weights of a network of `build_network` from a seed of 0 or more, in place.

    Peaks are about as high as in encoded heatmaps (`Codec.peak`), and coordinates are mostly inside the input
    (`Codec.spread`). The weights do not depend on torch's random state or on the number of threads, and do not change
    them; another type of CPU may round the scales differently.
    """
    codec = codec_of_config(config)
    width, height = heatmap_head(config)[0].decoder.input_size
    crops = torch.from_numpy(synthetic_crops(_CROPS, width, height, seed))
    for name, parameter in network.named_parameters():
        if name.endswith(codec.constants):
            continue
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        parameter.copy_(torch.from_numpy(_draw(name, tuple(parameter.shape), generator)))
    if codec.peak is None:
        with torch_threads(1), _calibration(network, None):
            forward_head(network, crops)
        _spread(network, codec)
        return
    conv, output = _output_layers(network)
    with torch_threads(1), _calibration(network, conv), _outputs_of(output) as made:
        outputs = forward_head(network, crops)
    # Some heads resize their heatmaps after the last layer; heads of integral regression return other outputs.
    heatmaps = (outputs if codec.has_heatmaps else made[-1]).transpose(0, 1).flatten(2)
    background = heatmaps.flatten(1).median(dim=1).values
    scale = codec.peak / (heatmaps.amax(2).mean(1) - background)
    output.weight.mul_(scale.view(-1, *[1] * (output.weight.ndim - 1)))
    output.bias.sub_(background).mul_(scale)


def _spread(network: nn.Module, codec: Codec) -> None:
    """Scale the last layer so that its outputs have a codec's mean and deviation; before, these are 0 to 1, and 1."""
    if codec.spread is None:
        return
    mean, deviation = codec.spread
    last: Any = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    last.weight.mul_(deviation)
    last.bias.sub_(last.bias.mean()).mul_(deviation).add_(mean)


@contextmanager
def _outputs_of(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """In this context, collect a layer's outputs in the returned list."""
    made: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: made.append(output))
    try:
        yield made
    finally:
        hook.remove()


def _output_layers(network: Any) -> tuple[nn.Conv2d, Any]:
    """Return the convolution that computes the heatmaps, and the last layer that scales them: this one or its norm."""
    maps = getattr(network.head, "out_channels", None) or network.head.num_joints
    layers = [
        layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, _BatchNorm)) and len(layer.weight) == maps
    ]
    return [layer for layer in layers if isinstance(layer, nn.Conv2d)][-1], layers[-1]


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Floating:
    """Return random values for a parameter; the calibration scales them."""
    if name.endswith("bias"):
        return generator.uniform(-0.2, 1, shape)  # mostly positive: few dead units, no outliers in deep networks
    if name.endswith("weight") and len(shape) in (1, 3):  # a norm, also of channels with a height and a width
        return generator.uniform(0.8, 1.2, shape)
    if name.endswith("weight") and len(shape) == 2:
        return generator.standard_normal(shape, np.float32) / np.float32(sqrt(shape[1]))
    if name.endswith("weight"):
        # A random mix of smoothing and its two derivatives (for 3x3: Sobel's), so that transposed convolutions cause no
        # checkerboards. A depthwise kernel must smooth, because it has only one input channel.
        smooth, down, right = generator.standard_normal((3, *shape[:2], 1, 1), np.float32)
        if shape[1] == 1:
            smooth = np.abs(smooth) + np.float32(0.3)
        kernel = smooth + np.float32(_SLOPE) * (down * _taps(shape[2])[:, None] + right * _taps(shape[3]))
        return np.asarray(kernel * _binomial(*shape[2:]))
    return 0.2 * generator.standard_normal(shape, np.float32)  # position embeddings


def _binomial(height: int, width: int) -> Floating:
    """Return a smoothing kernel [height, width] that sums to 1."""
    rows, columns = ([comb(size - 1, tap) / 2 ** (size - 1) for tap in range(size)] for size in (height, width))
    return np.outer(rows, columns).astype(np.float32)


def _taps(size: int) -> Floating:
    """Return the distances of a binomial kernel's taps from its middle, in standard deviations of the kernel."""
    return ((np.arange(size) - (size - 1) / 2) * 2 / sqrt(max(size - 1, 1))).astype(np.float32)


@contextmanager
def _calibration(network: nn.Module, last: nn.Conv2d | None) -> Iterator[None]:
    """In this context, a forward pass scales each layer that it reaches; `last` is the layer of the maps, or None."""
    hooks = []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            hooks.append(layer.register_forward_pre_hook(_pick if layer is last else _center))
            hooks.append(layer.register_forward_hook(_standardise))
        elif isinstance(layer, _BatchNorm):
            hooks.append(layer.register_forward_pre_hook(_measure))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _center(layer: Any, inputs: tuple[torch.Tensor]) -> None:
    """Make the outputs independent of the input's mean, so that zero padding has no visible border."""
    weight = _rows(layer)
    groups = getattr(layer, "groups", 1)
    if weight.shape[1] == 1:
        return
    mean = inputs[0].mean(_all_but_channels(layer, inputs[0])).view(groups, 1, -1)
    mean = mean.expand(-1, len(weight) // groups, -1).reshape(len(weight), -1)
    response = (weight.sum((2, 3)) * mean).sum(1, keepdim=True)
    excess = response / mean.square().sum(1, keepdim=True).clamp_min(1e-12) * mean
    weight.sub_(excess[..., None, None] * torch.from_numpy(_binomial(*weight.shape[2:])))
    _put_rows(layer, weight)


def _standardise(layer: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    """Scale and shift the output to a variance near 1 and to the random bias as its mean."""
    axes = _all_but_channels(layer, output)
    variance, mean = torch.var_mean(output, axes, correction=0)
    scale = _robust(variance).rsqrt()
    _put_rows(layer, _rows(layer).mul_(scale[:, None, None, None]))
    shape = [1 if axis in axes else -1 for axis in range(output.ndim)]
    output = output * scale.view(shape)
    if layer.bias is None:
        return output
    shift: torch.Tensor = layer.bias - mean * scale
    layer.bias.mul_(scale).add_(shift)
    return output + shift.view(shape)


def _measure(norm: Any, inputs: tuple[torch.Tensor]) -> None:
    """Set the statistics of a batch norm."""
    variance, mean = torch.var_mean(inputs[0], _all_but_channels(norm, inputs[0]), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(_robust(variance))


def _robust(variance: torch.Tensor) -> torch.Tensor:
    """Return variances moved towards their mean: a channel that is nearly constant on the crops may vary on images."""
    return ((variance + variance.mean()) / 2).clamp_min(1e-6)


def _rows(layer: Any) -> torch.Tensor:
    """Return the weights [outputs, inputs per group, height, width]: a view, or a copy that `_put_rows` writes back."""
    weight: torch.Tensor = layer.weight
    if isinstance(layer, nn.Linear):
        return weight.view(*weight.shape, 1, 1)
    if not isinstance(layer, nn.ConvTranspose2d):
        return weight
    if layer.groups == 1:
        return weight.transpose(0, 1)
    return _grouped_transposed(weight, layer.groups)


def _put_rows(layer: Any, rows: torch.Tensor) -> None:
    """Write back changed `_rows` if they are a copy, as for a transposed convolution with groups."""
    if isinstance(layer, nn.ConvTranspose2d) and layer.groups > 1:
        layer.weight.copy_(_grouped_transposed(rows, layer.groups))


def _grouped_transposed(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return weights [groups x a, b, height, width] as [groups x b, a, height, width]."""
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)


def _all_but_channels(layer: nn.Module, features: torch.Tensor) -> tuple[int, ...]:
    channels = features.ndim - 1 if isinstance(layer, nn.Linear) else 1
    return tuple(axis for axis in range(features.ndim) if axis != channels)


def _pick(layer: Any, inputs: tuple[torch.Tensor]) -> None:
    """Change the random weights to prefer features that vary at the size of a peak, away from the border."""
    features = inputs[0] - inputs[0].mean((0, 2, 3), keepdim=True)
    fine, coarse = _mean_filter(features, _FINE), _mean_filter(features, _COARSE)
    inside = torch.zeros(features.shape[2:], dtype=torch.bool)
    inside[_BORDER:-_BORDER, _BORDER:-_BORDER] = True
    wanted = _covariance((fine - coarse)[..., inside])
    parts = (features - fine, coarse, 4 * features[..., ~inside])
    unwanted = torch.stack([_covariance(part.flatten(2)) for part in parts]).sum(0)
    unwanted += 0.1 * unwanted.diagonal().mean() * torch.eye(len(unwanted), dtype=unwanted.dtype)
    weight = torch.linalg.solve(unwanted, wanted @ layer.weight.sum((2, 3)).double().T).T.float()
    skewness = torch.einsum("kc,nchw->knhw", weight, fine).pow(3).mean((1, 2, 3))
    weight = weight * skewness.sign()[:, None]  # peaks rather than pits
    layer.weight.copy_(weight[..., None, None] * torch.from_numpy(_binomial(*layer.kernel_size)))


def _mean_filter(features: torch.Tensor, size: int) -> torch.Tensor:
    columns = nn.functional.avg_pool2d(features, (size, 1), 1, (size // 2, 0), count_include_pad=False)
    return nn.functional.avg_pool2d(columns, (1, size), 1, (0, size // 2), count_include_pad=False)


def _covariance(features: torch.Tensor) -> torch.Tensor:
    """Return the [C, C] second moments of features [N, C, P]."""
    return torch.einsum("ncp,ndp->cd", features, features).double() / (len(features) * features.shape[2])


def synthetic_crops(count: int, width: int, height: int, seed: int) -> Float32:
    """Return normalised crops [count, 3, height, width]: coloured clouds (1/f) and rectangles, from dark to bright."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)).clip(1 / max(height, width))
    real, imaginary = generator.standard_normal((2, count, 3, *frequency.shape)) / frequency
    clouds = np.fft.irfft2(real + 1j * imaginary, (height, width))
    clouds /= clouds.std((2, 3), keepdims=True)
    crops = 0.5 * clouds + 0.9 * clouds[:, :1]  # natural images vary more in brightness than in colour
    crops += np.linspace(-1.2, 1.2, count)[:, None, None, None] + 0.4 * generator.standard_normal((count, 3, 1, 1))
    for crop in crops:
        for _ in range(12):
            top, left = generator.integers((height, width))
            tall, wide = generator.integers(width // 20, width // 2, 2)
            crop[:, top : top + tall, left : left + wide] += generator.standard_normal((3, 1, 1))
    return crops.clip(-2.5, 2.5).astype(np.float32)
