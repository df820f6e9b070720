"""Reproduces the published numbers of MMPose's top-down heatmap models.

Data flows one way, and the folders show it: `spec` says what to run, `assets` puts it on disk, `predict` estimates
keypoints, `score` turns them into metrics, `judge` compares those with the claims, `report` renders the outcome.
The values that pass between the stages are the modules beside this file: `protocol`, `predictions`, `record`.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.report.frame import load_results

__all__ = ["__version__", "load_results"]
__version__ = "0.1.0"

# A damaged header can claim any size, and OpenCV would take gigabytes for it; it reads this when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))


def __getattr__(name: str) -> Any:
    """Import what notebooks use when it is used: the command line does not wait for it."""
    if name == "load_results":
        from harness.report.frame import load_results

        return load_results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
