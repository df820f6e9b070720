from pathlib import Path

import pytest


@pytest.fixture
def scoring_samples(samples: Path) -> Path:
    """Predictions with known scores, beside the sample data."""
    folder = samples.parent / "scoring"
    if not folder.is_dir():
        pytest.skip(f"no scoring samples: {folder}")
    return folder
