"""Wrong values of the public functions' arguments give a UsageError that names the argument, before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import UsageError

RESULTS = Path(__file__).parents[1] / "results"
ROW = "demo/litehrnet-18-mpii-128x128"
PATTERNS = "text: shell patterns separated by commas"
DEVICES = "text: cpu, cuda or cuda:1"


def run(**arguments: Any) -> object:
    return harness.run_rows("demo", **dict[str, Any](rows=ROW, data="no-data", out="no-runs", offline=True) | arguments)


def score(**arguments: Any) -> object:
    return harness.score_predictions("coco", "no.json", data="no-data", **arguments)


def compare(**arguments: Any) -> object:
    return harness.compare_runs(RESULTS, RESULTS, ["demo"], **arguments)


def explain(**arguments: Any) -> object:
    return harness.explain_row(**dict[str, Any](row=ROW, out=RESULTS, data="no-data") | arguments)


def explain_difference(**arguments: Any) -> object:
    return harness.explain_difference(**dict[str, Any](row=ROW, baseline=RESULTS, out=RESULTS) | arguments)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (run, {"limit": -1}, "limit must be a whole number of at least 1, not -1"),
        (run, {"limit": 0}, "limit must be a whole number of at least 1, not 0"),
        (run, {"limit": "2"}, "limit must be a whole number of at least 1, not '2'"),
        (run, {"limit": True}, "limit must be a whole number of at least 1, not True"),
        (run, {"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        (run, {"batch_size": 1.5}, "batch_size must be a whole number of at least 1, not 1.5"),
        (run, {"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        (run, {"precision": "fp64"}, "precision must be one of fp32, fp32-fast, tf32, bf16, fp16, not 'fp64'"),
        (run, {"engine": "other"}, "engine must be one of shared, upstream, not 'other'"),
        (run, {"precision": None}, "precision must be one of fp32, fp32-fast, tf32, bf16, fp16, not None"),
        (run, {"engine": None}, "engine must be one of shared, upstream, not None"),
        (run, {"rows": ["*mpii*"]}, f"rows must be {PATTERNS}, not ['*mpii*']"),
        (run, {"rows": Path(ROW)}, f"rows must be {PATTERNS}, not "),
        (run, {"device": 5}, f"device must be {DEVICES}, not 5"),
        (run, {"device": ["cpu"]}, f"device must be {DEVICES}, not ['cpu']"),
        (run, {"out": __file__}, f"--out {__file__} cannot be written to: "),
        (run, {"boxes": "no.json"}, "the box file no.json is not used: all selected rows use annotated boxes"),
        (run, {"engine": "upstream", "precision": "bf16"}, "precision bf16 needs engine shared: MMPose's own loop"),
        (score, {"score_mode": "box"}, "score_mode must be one of bbox, keypoint, bbox_keypoint, bbox_rle, not 'box'"),
        (score, {"nms": 3}, "nms must be one of oks, soft-oks, none, not 3"),
        (compare, {"rows": ["*mpii*"]}, f"rows must be {PATTERNS}, not ['*mpii*']"),
        (compare, {"noise_floor": float("nan")}, "noise_floor must be a finite number of at least 0, not nan"),
        (compare, {"noise_floor": -1.0}, "noise_floor must be a finite number of at least 0, not -1.0"),
        (compare, {"noise_floor": "1"}, "noise_floor must be a finite number of at least 0, not '1'"),
        (compare, {"resamples": 0, "data": "no-data"}, "resamples must be a whole number of at least 1, not 0"),
        (compare, {"resamples": 2.5}, "resamples must be a whole number of at least 1, not 2.5"),
        (compare, {"resamples": None}, "resamples must be a whole number of at least 1, not None"),
        (explain, {"row": Path(ROW)}, "row must be text: a full id, such as coco/hrnet-w32-256x192, not "),
        (explain_difference, {"row": 3}, "row must be text: a full id, such as coco/hrnet-w32-256x192, not 3"),
        (explain, {"device": 5}, f"device must be {DEVICES}, not 5"),
        (explain_difference, {"device": ["cpu"]}, f"device must be {DEVICES}, not ['cpu']"),
        (explain, {"targets": [("AP", 0.1)]}, "targets must be a dict of values by metric, not [('AP', 0.1)]"),
        (explain, {"targets": {"PCKh@0.5": float("nan")}}, "the target PCKh@0.5 must be a finite number, not nan"),
        (explain, {"targets": {"PCKh@0.5": 10**400}}, "the target PCKh@0.5 must be a finite number, not 1000"),
        (explain, {"targets": {"PCKh@0.5": "0.3"}}, "the target PCKh@0.5 must be a finite number, not '0.3'"),
        (explain, {"targets": {"PCKh@0.5": True}}, "the target PCKh@0.5 must be a finite number, not True"),
        (explain, {"targets": {"PCKh@0.5": None}}, "the target PCKh@0.5 must be a finite number, not None"),
        (explain, {"targets": {"PCK": "0.3"}}, "the target PCK must be a finite number, not '0.3'"),
        (explain, {"targets": {"PCK": 0.3}}, "the target PCK is no metric of demo: AP, "),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_wrong_value(
    function: Callable[..., object],
    arguments: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        function(**arguments)
    assert str(caught.value).startswith(message)
    assert not list(tmp_path.iterdir())
