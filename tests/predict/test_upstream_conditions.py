"""Effects of the installed packages on MMPose's own loop; other versions are simulated."""

import cv2
import numpy as np
import pytest

from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh import PckhScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.openmmlab import xtcocotools_ext
from harness.predict.upstream_conditions import (
    NUMPY_2,
    NUMPY_2_CROPS,
    OPENCV_5,
    moved_by_packages,
    upstream_warp,
    why_not_evaluated,
)
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, Protocol, Scoring

FILE = DataFile(path="file", sha256="")
OKS = OksScoring(sigmas=(0.1,), area="box")
PCKH = PckhScoring(headboxes=FILE)
POSETRACK = PoseTrackScoring(sigmas=(0.1,), sequences=FILE)


def protocol(scoring: Scoring, limit: int | None = None) -> Protocol:
    return Protocol(
        dataset="MpiiDataset" if scoring is PCKH else "CocoDataset",
        annotations=FILE,
        num_keypoints=1,
        flip_indices=(0,),
        limit=limit,
        scoring=scoring,
        boxes=Boxes(source="ground-truth"),
        crop=Crop(input_size=(8, 8), padding=1.25, affine="plain"),
        flip=Flip(enabled=False, shift=False),
        decoder=Decoder(codec="msra", heatmap_size=(2, 2)),
        compute=Compute(engine="upstream", batch_size=1, device="cpu"),
    )


@pytest.mark.parametrize(
    ("opencv", "numpy", "scoring", "expected"),
    [
        ("4.11.0", "1.26.4", OKS, []),
        ("4.13.0", "2.5.2", OKS, [NUMPY_2]),
        ("4.13.0", "2.0.0", POSETRACK, [NUMPY_2]),
        ("4.13.0", "2.5.2", PCKH, [NUMPY_2_CROPS]),
        ("5.0.0", "1.26.4", PCKH, [OPENCV_5]),
        ("5.1.0-pre", "2.5.2", OKS, [OPENCV_5, NUMPY_2]),
    ],
)
def test_what_moves(
    monkeypatch: pytest.MonkeyPatch, opencv: str, numpy: str, scoring: Scoring, expected: list[str]
) -> None:
    monkeypatch.setattr(cv2, "__version__", opencv)
    monkeypatch.setattr(np, "__version__", numpy)
    assert moved_by_packages(protocol(scoring)) == expected
    udp = protocol(scoring)
    udp = udp.model_copy(update={"crop": udp.crop.model_copy(update={"affine": "udp"})})
    assert (NUMPY_2_CROPS in moved_by_packages(udp)) == numpy.startswith("2")
    assert upstream_warp() == ("opencv-5" if opencv.startswith("5") else "opencv-4")


@pytest.mark.parametrize("poseval", [True, False])
@pytest.mark.parametrize("provider", ["stand-in", "xtcocotools"])
def test_which_evaluators_run(monkeypatch: pytest.MonkeyPatch, poseval: bool, provider: str) -> None:
    monkeypatch.setattr(xtcocotools_ext, "install", lambda: provider)
    monkeypatch.setattr(
        "harness.metrics.families.posetrack_ap.family.find_spec", lambda _: object() if poseval else None
    )
    oks, posetrack = why_not_evaluated(protocol(OKS)), why_not_evaluated(protocol(POSETRACK))
    assert (oks is None) == (provider != "stand-in")
    assert oks is None or "--target DIR" in oks
    assert posetrack == (None if poseval else "it needs the package poseval")
    assert (why_not_evaluated(protocol(POSETRACK, limit=1)) is None) is False
    assert why_not_evaluated(protocol(PCKH, limit=1)) is None
