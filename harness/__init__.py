"""Reproduces the published numbers of MMPose's top-down models.

docs/architecture.md says which folder does what, and in which order the data flows through them.
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
