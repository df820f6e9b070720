"""Reproduces the published numbers of MMPose's top-down models.

`docs/api.md` describes the public names, which are those of `harness.api`. `docs/architecture.md` describes the
purpose of each folder, and the flow of the data.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import (
        HarnessError,
        check_suite,
        compare_runs,
        explain_difference,
        explain_row,
        load_predictions,
        load_record,
        load_results,
        load_suite,
        rescore_run,
        run_rows,
        score_predictions,
        suite_names,
    )

__all__ = [
    "HarnessError",
    "__version__",
    "check_suite",
    "compare_runs",
    "explain_difference",
    "explain_row",
    "load_predictions",
    "load_record",
    "load_results",
    "load_suite",
    "rescore_run",
    "run_rows",
    "score_predictions",
    "suite_names",
]
__version__ = "0.2.0"

# OpenCV reads this limit when it is loaded. Without it, a damaged header with a huge size would fill the memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line starts without the other imports."""
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, which are not imported yet, with the others."""
    return sorted({*globals(), *__all__})
