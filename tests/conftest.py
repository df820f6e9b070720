"""Fixtures that several stages share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real third-party data to run against; skip where there is none."""
    root = Path(__file__).parents[1]
    samples = Path(os.environ.get("HARNESS_SAMPLES") or root.parent / "shared" / "data" / "samples")
    if not samples.is_dir():
        pytest.skip(f"no sample data: {samples} is not there, and HARNESS_SAMPLES names no folder")
    return samples.parent


@pytest.fixture(scope="session")
def samples(shared_data: Path) -> Path:
    """Return a miniature of MMPose's `data/` folder with real images, annotations and detections."""
    return shared_data / "samples"
