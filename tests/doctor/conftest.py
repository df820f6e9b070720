"""Data for the checks of the doctor."""

from pathlib import Path

import pytest

from harness.doctor.people import render_people


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return rendered data sets in MMPose's layout."""
    data = tmp_path_factory.mktemp("rendered")
    render_people(data, images=6)
    return data
