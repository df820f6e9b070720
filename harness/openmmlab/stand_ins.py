"""Makes MMPose importable: it imports two compiled packages that the evaluation does not need."""

from harness.openmmlab import mmcv_ext, xtcocotools_ext


def install_stand_ins() -> None:
    """Install a stand-in for each package that is missing; call it before the first import of a part of mmpose."""
    mmcv_ext.install()
    xtcocotools_ext.install()
