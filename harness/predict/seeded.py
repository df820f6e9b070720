"""Seeded weights: random, the same everywhere, and with heatmaps that decode like those of a trained network."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import comb

import numpy as np
import numpy.typing as npt
import torch
from mmengine.config import Config
from torch import nn

from harness.predict.networks import forward_heatmaps

Floats = npt.NDArray[np.float32]

_CROPS = 4
_LINEAR = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_BATCH_NORM = nn.modules.batchnorm._NormBase


def seed_weights(network: nn.Module, config: Config, seed: int) -> None:
    decoder = network.head.decoder
    width, height = decoder.input_size
    crops = synthetic_crops(_CROPS, height, width, seed)
    num_keypoints = network.head.out_channels
    last = [m for m in network.modules() if isinstance(m, (nn.Conv2d, _BATCH_NORM)) and len(m.weight) == num_keypoints]
    last_conv = [m for m in last if isinstance(m, nn.Conv2d)][-1]
    output = last[-1]
    hh = decoder.heatmap_size[1]
    with _single_thread(), torch.inference_mode():
        _draw(network, seed, last_conv)
        handles = []
        for m in network.modules():
            if isinstance(m, _LINEAR) and not isinstance(m, nn.modules.linear.NonDynamicallyQuantizableLinear):
                handles.append(m.register_forward_pre_hook(_focus if m is last_conv else _center))
                handles.append(m.register_forward_hook(_standardise))
            elif isinstance(m, _BATCH_NORM) and not isinstance(m, nn.LayerNorm):
                handles.append(m.register_forward_pre_hook(lambda m, a: _bn(m, a, hh)))
        try:
            heatmaps = forward_heatmaps(network, torch.from_numpy(crops))
        finally:
            for h in handles:
                h.remove()
        peak = 200.0 if type(decoder).__name__ == "MegviiHeatmap" else 0.9
        flat = heatmaps.transpose(0, 1).flatten(2)  # K, N, hw
        floor = flat.flatten(1).quantile(0.5, dim=1)
        top = flat.amax(2).mean(1)
        scale = peak / (top - floor)
        output.weight.mul_(scale.reshape(-1, *[1] * (output.weight.ndim - 1)))
        output.bias.sub_(0).mul_(scale).sub_(floor * scale)


def _draw(network, seed, last_conv):
    for name, p in network.named_parameters():
        module = network.get_submodule(name.rpartition(".")[0])
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        if isinstance(module, nn.LayerNorm) or (isinstance(module, _BATCH_NORM)):
            v = rng.uniform(0.8, 1.2, p.shape) if name.endswith("weight") else rng.uniform(-LO, HI, p.shape)
            if isinstance(module, nn.LayerNorm) and name.endswith("bias"):
                v = rng.uniform(-.2, .2, p.shape)
        elif module is last_conv and name.endswith("weight"):
            v = rng.standard_normal(p.shape[:2] + (1,) * (p.ndim - 2)) * _low_pass(p.shape[2:])
        elif p.ndim == 4 and name.endswith("weight"):
            a = rng.standard_normal(p.shape[:2] + (1, 1), dtype=np.float32)
            if p.shape[1] == 1 and module.groups > 1:
                a = np.abs(a)+.3
            if p.shape[2:].numel() > 1:
                a = a + NOISE * rng.standard_normal(p.shape, dtype=np.float32)
            v = a * _low_pass(p.shape[2:])
        elif name.endswith("bias"):
            v = rng.uniform(-LO, HI, p.shape)
        elif p.ndim == 2 and (name.endswith("weight")):
            v = rng.standard_normal(p.shape, dtype=np.float32) / np.sqrt(p.shape[1])
        else:
            v = LOOSE * rng.standard_normal(p.shape, dtype=np.float32)
        p.copy_(torch.from_numpy(np.asarray(v, dtype=np.float32)))

LO=0.2; HI=0.8; MIX=0.5; EPS=0.01; POW=3; NOISE=0.3; LOOSE=0.2

def _low_pass(shape) -> Floats:
    k = np.ones((1, 1), np.float32)
    h, w = shape
    r = lambda n: np.array([comb(n - 1, i) for i in range(n)], np.float64) / 2 ** (n - 1)
    return np.outer(r(h), r(w)).astype(np.float32)


def _axes(x):
    return (0, 2, 3) if x.ndim == 4 else tuple(range(x.ndim - 1))


def _center(m, args):
    (x,) = args
    mean = x.mean(_axes(x))
    w = m.weight
    if isinstance(m, nn.ConvTranspose2d):
        s = w.mean((2, 3))  # in, out
        w.sub_((mean[:, None] * (mean @ s) / (mean @ mean + 1e-12))[:, :, None, None] * _unit(w))
        return
    groups = getattr(m, "groups", 1)
    if w.shape[1] == 1:
        return
    g = w.view(groups, -1, *w.shape[1:])
    mu = mean.view(groups, -1)
    s = g.flatten(3).sum(3) if g.ndim > 3 else g
    lead = torch.einsum("goi,gi->go", s, mu) / (mu.square().sum(1, keepdim=True) + 1e-12)
    corr = lead[:, :, None] * mu[:, None, :]
    if g.ndim > 3:
        kern = torch.from_numpy(_low_pass(w.shape[2:]))
        g.sub_(corr[..., None, None] * kern)
    else:
        g.sub_(corr)


def _unit(w):
    return torch.from_numpy(_low_pass(w.shape[2:])) * w.shape[2] * w.shape[3]  / 1.0


def _standardise(m, args, y):
    ax = _axes(y)
    c = 1 if y.ndim == 4 else -1
    var, mean = torch.var_mean(y, ax, correction=0)
    scale = 1 / (MIX * var + (1 - MIX) * var.mean() + 1e-12).sqrt()
    shape = [1] * y.ndim; shape[c] = -1
    ws = [1] * m.weight.ndim; ws[1 if isinstance(m, nn.ConvTranspose2d) else 0] = -1
    m.weight.mul_(scale.view(ws))
    if m.bias is None:
        return y * scale.view(shape)
    beta = m.bias.clone()
    old = mean - 0
    m.bias.copy_(beta - (mean - beta) * scale)
    return (y - mean.view(shape)) * scale.view(shape) + beta.view(shape)


def _blur(x, sigma):
    r = int(3 * sigma)
    t = torch.arange(-r, r + 1, dtype=x.dtype)
    k = torch.exp(-t * t / (2 * sigma * sigma)); k = k / k.sum()
    c = x.shape[1]
    x = nn.functional.pad(x, (0, 0, r, r), mode="replicate")
    x = nn.functional.conv2d(x, k.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    x = nn.functional.pad(x, (r, r, 0, 0), mode="replicate")
    return nn.functional.conv2d(x, k.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def _focus(m, args):
    (x,) = args
    x = x - x.mean((0, 2, 3), keepdim=True)
    if m.kernel_size[0] > 1:
        x = _blur(x, 0.7)
    fine, coarse = _blur(x, S1), _blur(x, S2)
    cov = lambda t: torch.einsum("nchw,ndhw->cd", t, t).double() / t[:, 0].numel()
    signal, noise = cov(fine - coarse), cov(x - fine) + cov(coarse)
    c = len(noise)
    w = m.weight.sum((2, 3)).double().T  # C, K
    a = noise + EPS * (torch.trace(noise) +0*torch.trace(signal)) / c * torch.eye(c, dtype=torch.float64)
    for _ in range(int(STEPS)):
        w = torch.linalg.solve(a, signal @ w)
    y = torch.einsum("nchw,ck->nkhw", x, w.float())
    w = w * torch.sign(y.pow(3).mean((0, 2, 3)))
    m.weight.copy_(w.T.float()[:, :, None, None] * torch.from_numpy(_low_pass(m.kernel_size)))

S1=2.0; S2=6.0; STEPS=1

def _bn(m, args, hh):
    (x,) = args
    var, mean = torch.var_mean(x, _axes(x), correction=0)
    m.running_mean.copy_(mean)
    m.running_var.copy_((MIX * var + (1 - MIX) * var.mean()).clamp_min(1e-6))
    if x.ndim == 4 and m.__dict__.get("_seen") is None:
        m.__dict__["_seen"] = 1
        f = min(1.0, x.shape[2] / hh)
        m.weight.mul_(f); m.bias.mul_(f)


def synthetic_crops(n, height, width, seed) -> Floats:
    rng = np.random.default_rng([seed, 0])
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None]
    amp = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    z = rng.standard_normal((n, 3, *amp.shape)) + 1j * rng.standard_normal((n, 3, *amp.shape))
    f = np.fft.irfft2(z * amp, s=(height, width))
    f /= f.std((2, 3), keepdims=True)
    f = 0.5 * f + 0.9 * f[:, :1]
    y, x = np.mgrid[:height, :width]
    for img in f:
        for _ in range(12):
            cy, cx = rng.uniform(0, height), rng.uniform(0, width)
            ry, rx = rng.uniform(0.03, 0.25, 2) * width
            t = rng.uniform(0, np.pi)
            u = (x - cx) * np.cos(t) + (y - cy) * np.sin(t); v = -(x - cx) * np.sin(t) + (y - cy) * np.cos(t)
            img[:, (u / rx) ** 2 + (v / ry) ** 2 < 1] += rng.standard_normal((3, 1))
    return np.clip(f, -2.1, 2.4).astype(np.float32)


@contextmanager
def _single_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
