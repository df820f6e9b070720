"""Seeded weights are the same everywhere, differ by seed, and give heatmaps with clear peaks."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import SAMPLES
from upstream_config import build_dataset, config

from harness.predict.networks import build_network, forward_head
from harness.predict.seeded import seed_weights

Array = npt.NDArray[np.float32]

# A network of each family: convolutions, attention, several stages, anisotropic strides, UDP and Megvii heatmaps.
NETWORKS = [
    "coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192",
    "coco/td-hm_alexnet_8xb64-210e_coco-256x192",
    "coco/cspnext-tiny_udp_8xb256-210e_coco-256x192",
    "coco/td-hm_ViTPose-small_8xb64-210e_coco-256x192",
    "coco/td-hm_rsn50_8xb32-210e_coco-256x192",
    "coco/td-hm_swin-t-p4-w7_8xb32-210e_coco-256x192",
]


def seeded(name: str, seed: int = 0) -> Any:
    loaded = config(name)
    network = build_network(loaded)
    seed_weights(network, loaded, seed)
    return network


def digest(network: Any) -> str:
    hashed = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        hashed.update(key.encode() + value.numpy().tobytes())
    return hashed.hexdigest()


def some_heatmaps(name: str, samples: Path) -> Array:
    """Return heatmaps [N, K, h, w] of some people."""
    network: Any = seeded(name)
    assert not network.training
    dataset = build_dataset(config(name), samples)
    crops = np.stack([dataset[i]["inputs"].numpy() for i in range(0, len(dataset), len(dataset) // 8)])
    mean, std = network.data_preprocessor.mean, network.data_preprocessor.std
    with torch.inference_mode():
        heatmaps = forward_head(network, (torch.from_numpy(crops).flip(1).float() - mean) / std)
    return np.asarray(heatmaps)


@pytest.mark.parametrize("name", NETWORKS)
def test_heatmaps_have_clear_peaks(name: str, each_samples: Path) -> None:
    heatmaps = some_heatmaps(name, each_samples)
    count, keypoints, height, width = heatmaps.shape
    flat = np.sort(heatmaps.reshape(count, keypoints, -1))
    peak = 255 if "rsn" in name else 1
    assert np.mean(flat[..., -1] - flat[..., -2] > 1e-4 * flat[..., -1]) > 0.95
    assert 0.3 * peak < np.median(flat[..., -1]) < 6 * peak
    assert abs(np.median(flat)) < 0.2 * peak
    places = heatmaps.reshape(count, keypoints, -1).argmax(-1)
    assert len(np.unique(places)) > 0.5 * places.size  # the maps differ between people
    x, y = places % width, places // width
    # On rendered images, which are smoother than photographs, ViTPose's maxima are more often at the edge.
    least = 0.6 if each_samples == SAMPLES or "ViTPose" not in name else 0.4
    assert np.mean((x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)) > least


@pytest.mark.parametrize("name", [name for name in NETWORKS if "cspnext" in name or "ViTPose" in name])
def test_refinement_is_well_conditioned(name: str, samples: Path) -> None:
    """The Newton step of UDP is small, and rounding in single precision does not change it."""
    from mmpose.codecs.utils.post_processing import get_heatmap_maximum
    from mmpose.codecs.utils.refinement import refine_keypoints_dark_udp

    def steps(heatmaps: Array) -> Array:
        found = [get_heatmap_maximum(person)[0] for person in heatmaps]
        refined = [
            refine_keypoints_dark_udp(f[None].copy(), h.copy(), 11) for f, h in zip(found, heatmaps, strict=True)
        ]
        return np.asarray(np.concatenate(refined) - np.stack(found))

    heatmaps = some_heatmaps(name, samples)
    noise = 1e-6 * np.random.default_rng(0).standard_normal(heatmaps.shape, np.float32)
    exact, noisy = steps(heatmaps), steps(heatmaps * (1 + noise))
    assert np.mean(np.abs(exact) < 3) > 0.95
    assert np.mean(np.abs(exact - noisy) < 0.01) > 0.99


def test_the_same_in_another_process_with_other_threads_and_random_state() -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    here = digest(seeded(NETWORKS[0]))
    assert torch.equal(torch.get_rng_state(), before)
    program = (
        "import torch; torch.set_num_threads(2); torch.rand(7)\n"
        "from test_seeded import NETWORKS, digest, seeded; print(digest(seeded(NETWORKS[0])))"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split()[-1] == here
    assert digest(seeded(NETWORKS[0], seed=1)) != here
