"""MMPose's own configs, data sets and codecs, as references for tests."""

import contextlib
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.upstream_numpy import numpy_1_crops
from harness.suites.configs import configs_folder
from harness.suites.ledger import point_at

# For all tests: they compare with the arithmetic of the published numbers.
_PUBLISHED = contextlib.ExitStack()
_PUBLISHED.enter_context(numpy_1_crops())

TOPDOWN = "body_2d_keypoint/topdown_heatmap"


def config(name: str) -> Config:
    """Load one of MMPose's top-down heatmap configs."""
    return Config.fromfile(configs_folder() / TOPDOWN / f"{name}.py", import_custom_modules=False)


def build_dataset(config: Config, data: Path) -> Any:
    """Build the test data set of a config on a data folder."""
    install_stand_ins()
    import mmpose.datasets  # noqa: F401
    from mmpose.registry import DATASETS

    with DefaultScope.overwrite_default_scope("mmpose"):
        return DATASETS.build(point_at(config, str(data)).test_dataloader.dataset)


def build_codec(**settings: Any) -> Any:
    """Build one of MMPose's codecs."""
    install_stand_ins()
    import mmpose.codecs  # noqa: F401
    from mmpose.registry import KEYPOINT_CODECS

    return KEYPOINT_CODECS.build(settings)
