"""Reproduces the published numbers of MMPose's top-down models.

`docs/api.md` describes the public names, which are those of `harness.api`. `docs/architecture.md` says which folder
does what, and in which order the data flows through them.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import (
        HarnessError,
        check_suite,
        compare_runs,
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

# A damaged header can claim any size, and OpenCV would take gigabytes for it; it reads this when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line starts without the imports of others."""
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, which are not imported yet, with the others."""
    return sorted({*globals(), *__all__})
