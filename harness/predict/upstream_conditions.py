"""Effects of the installed packages on MMPose's own test loop: evaluators that can run, and numbers that change."""

import cv2
import numpy as np

from harness.datasets.lookup import dataset_class
from harness.plugins import plugin
from harness.protocol import PoseSelection, Protocol, Warp

OPENCV_5 = (
    "OpenCV 5 is installed: its warpAffine changes 7 % of the pixels of MMPose's own crops, and AP by about 0.002; "
    "install opencv-python-headless below 5 for the published arithmetic"
)
NUMPY_2 = (
    "NumPy 2 is installed: MMPose's own scoring adds keypoint scores and compares them with the threshold in single "
    "precision, and OKS-NMS computes in double precision; with NumPy 1, which the published numbers were made with, "
    "scoring uses double precision and OKS-NMS single precision"
)
NUMPY_2_CROPS = (
    "NumPy 2 is installed: MMPose's own loop places the crops of MPII and of the UDP affine in single precision, which "
    "moves up to 1 % of their pixels by a level or two; the published numbers were made with NumPy 1"
)


def upstream_warp() -> Warp:
    """Return the version of OpenCV whose arithmetic MMPose's own crops follow."""
    return "opencv-5" if _major(cv2.__version__) >= 5 else "opencv-4"


def moved_by_packages(protocol: Protocol) -> list[str]:
    """Return warnings about installed packages for a reader of numbers of MMPose's own loop."""
    found = [OPENCV_5] if upstream_warp() == "opencv-5" else []
    if has_numpy_2() and isinstance(protocol.scoring, PoseSelection):
        found.append(NUMPY_2)
    if has_numpy_2() and (dataset_class(protocol.dataset).moved_by_numpy_2 or protocol.crop.affine == "udp"):
        found.append(NUMPY_2_CROPS)
    return found


def has_numpy_2() -> bool:
    """Return whether NumPy 2 or later is installed, which promotes single precision differently."""
    return _major(np.__version__) >= 2


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def why_not_evaluated(protocol: Protocol) -> str | None:
    """Return why MMPose's own evaluator of a run cannot run here; None if it can."""
    family = plugin("metrics", protocol.scoring.metric, "scoring.metric")
    reason: str | None = family.why_upstream_cannot(limited=protocol.limit is not None)
    return reason
