"""Makes `import xtcocotools` work if the package is missing or its compiled module does not load.

MMPose's data sets read annotations with `xtcocotools.coco.COCO`, and its CocoMetric evaluates with
`xtcocotools.cocoeval.COCOeval`. The wheels of xtcocotools are for Python 3.11 and NumPy 1. Its compiled module,
`xtcocotools._mask`, is the one of pycocotools under another name.
"""

import contextlib
import importlib
import importlib.util
import io
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Literal

from harness.errors import RunError

Provider = Literal["xtcocotools", "xtcocotools with the masks of pycocotools", "stand-in"]
"""The provider of `import xtcocotools`."""

INSTALL = (
    "pip install --no-deps xtcocotools==1.14.3 --target DIR --python-version 3.11 --only-binary :all: "
    "--platform manylinux_2_17_x86_64, with DIR in PYTHONPATH, gives its Python files; pycocotools has the rest"
)
_NAME = "xtcocotools"


def install() -> Provider:
    """Make `xtcocotools` importable and return its provider; call it before the first import of mmpose's modules.

    An installed package is used, with pycocotools' compiled masks if its own do not load. Otherwise a stand-in reads
    annotations and raises an error on evaluation. A second call has no effect.
    """
    loaded = sys.modules.get(_NAME)
    if isinstance(loaded, _StandIn):
        return "stand-in"
    if loaded is None and importlib.util.find_spec(_NAME) is None:
        _install_stand_in()
        return "stand-in"
    return _installed_masks()


def _installed_masks() -> Provider:
    name = f"{_NAME}._mask"
    with contextlib.redirect_stderr(io.StringIO()):  # NumPy 2 prints a traceback for a module built with NumPy 1
        try:
            mask = importlib.import_module(name)
        except ImportError:
            mask = importlib.import_module("pycocotools._mask")
            sys.modules[name] = mask
            importlib.import_module(_NAME)._mask = mask  # type: ignore[attr-defined]
    return "xtcocotools" if mask.__name__ == name else "xtcocotools with the masks of pycocotools"


class _StandIn(ModuleType):
    """Replaces the package `xtcocotools`, or a module of it, if it is not installed."""


def _install_stand_in() -> None:
    package, coco, cocoeval = (_StandIn(name) for name in (_NAME, f"{_NAME}.coco", f"{_NAME}.cocoeval"))
    mask = importlib.import_module("pycocotools.mask")
    vars(coco)["COCO"] = _coco_class()
    vars(cocoeval)["COCOeval"] = _NoEvaluation
    vars(package).update(coco=coco, cocoeval=cocoeval, mask=mask, __path__=[])  # `__path__` makes it a package
    for module in (package, coco, cocoeval):
        module.__spec__ = ModuleSpec(module.__name__, loader=None, origin=__name__)
        sys.modules[module.__name__] = module
    sys.modules[f"{_NAME}.mask"] = mask


def _coco_class() -> type:
    from pycocotools.coco import COCO

    class AnnotationsAsXtcocotools(COCO):  # type: ignore[misc]
        """Reads annotations as `xtcocotools.coco.COCO` does: `iscrowd` is optional, and the file's name is kept."""

        def __init__(self, annotation_file: str | None = None) -> None:
            super().__init__(annotation_file)
            self.anno_file = [annotation_file]
            for annotation in self.dataset.get("annotations", []):
                annotation.setdefault("iscrowd", False)

    return AnnotationsAsXtcocotools


class _NoEvaluation:
    """Raises an error in place of `COCOeval`, since another evaluator would give other numbers under this name."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise RunError("MMPose's own OKS evaluator needs the package xtcocotools", INSTALL)
