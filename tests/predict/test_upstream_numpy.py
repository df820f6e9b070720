"""MMPose's crops with NumPy 1's arithmetic, under any NumPy."""

import json
from pathlib import Path

import numpy as np
from upstream_config import build_dataset, config

from harness.datasets.people import load_people
from harness.predict.crops import _udp_matrices


def test_centres_of_mpii(tmp_path: Path) -> None:
    """Values that single precision rounds differently; the people equal the shared engine's to the last bit."""
    rng = np.random.default_rng(0)
    people = [
        {
            "image": f"{number:09}.jpg",
            "center": rng.uniform(0, 1000, 2).round(2).tolist(),
            "scale": round(float(rng.uniform(0.5, 6)), 6),
            "joints": [[1.0, 1.0]] * 16,
            "joints_vis": [1] * 16,
        }
        for number in range(200)
    ]
    loaded = config("mpii/td-hm_res50_8xb64-210e_mpii-256x256")
    loaded.test_dataloader.dataset.headbox_file = None
    path = tmp_path / "mpii" / "annotations" / "mpii_val.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(people))
    dataset = build_dataset(loaded, tmp_path)
    ours = load_people("MpiiDataset", path, tmp_path, None, None)
    assert len(dataset) == len(ours) == 200
    single = 0
    for index in range(200):
        info = dataset.get_data_info(index)
        assert type(info["bbox_center"]) is np.ndarray
        np.testing.assert_array_equal(ours.centers[index], info["bbox_center"][0])
        center, scale = (np.array(people[index][key], np.float32) for key in ("center", "scale"))
        lowered = center[1:] + np.float32(0.075) * (scale * np.float32(200)).reshape(1)
        single += bool((lowered - np.float32(1) != ours.centers[index, 1:]).any())
    assert single > 10  # of those that differ in single precision


def test_udp_matrices() -> None:
    """They equal the shared engine's to the last bit; single precision gives other values."""
    from mmpose.datasets.transforms import topdown_transforms

    rng = np.random.default_rng(0)
    single = 0
    for _ in range(200):
        center, size = (rng.uniform(10, 900, 2).astype(np.float32) for _ in range(2))
        theirs = topdown_transforms.get_udp_warp_matrix(center, size, 0.0, output_size=(192, 256))
        ours = _udp_matrices(center[None], size[None], (192, 256))[0]
        np.testing.assert_array_equal(theirs, ours)
        scale = np.float32(191) / size[0]
        single += bool(scale * (np.float32(0.5) * size[0] - center[0]) != ours[0, 2])
    assert single > 10
