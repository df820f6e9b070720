"""The packages of OpenMMLab, which the user installs with a separate command."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import ObtainError

PACKAGES = ("mmcv", "mmdet", "mmengine", "mmpose", "mmpretrain")
INSTALL = "pip install --no-deps mmcv-lite==2.1.0 mmdet==3.3.0 mmengine==0.10.7 mmpose==1.3.2 mmpretrain==1.2.0"
"""The command that installs them, without dependencies: pip fails to build chumpy, which is not used here."""


@contextmanager
def openmmlab_needed() -> Iterator[None]:
    """Turn the failed import of one of the packages into an error with the command that installs them.

    Raises:
        ObtainError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise ObtainError(f"this needs MMPose, and {error.name} is not installed", INSTALL) from error
