"""Makes MMPose importable without two compiled packages that it imports but the evaluation does not need."""

from harness.openmmlab import mmcv_ext, xtcocotools_ext


def install_stand_ins() -> None:
    """Install a stand-in for each missing package; call it before the first import of a module of mmpose."""
    mmcv_ext.install()
    xtcocotools_ext.install()
