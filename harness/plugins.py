"""Finds plugins, which one file can add: metrics, data sets, codecs, sources of heatmaps.

The project's own plugins are the modules of one folder per kind. Other packages add plugins by an entry point of the
group `pose_harness.KIND`, so that every process of every command finds them:

    [project.entry-points."pose_harness.metrics"]
    epe = "my_package.epe:EPE"
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, Literal

from harness.errors import SpecError

Kind = Literal["metrics", "datasets", "codecs", "heatmaps"]
FOLDERS: Mapping[Kind, str] = {
    "metrics": "harness.metrics.families",
    "datasets": "harness.datasets.classes",
    "codecs": "harness.codecs",
    "heatmaps": "harness.predict.sources",
}
"""The package of each kind; each of its modules adds plugins by their `name` in `PLUGIN` or `PLUGINS`."""
_INSTEAD: Mapping[Kind, str] = {
    "datasets": "if it reads samples just as CocoDataset does, name CocoDataset and state its metainfo; otherwise "
}


def plugin(kind: Kind, name: str, where: str) -> Any:
    """Return the plugin with a name.

    Args:
        kind: The kind of plugin.
        name: Its name, such as `oks` or `CocoDataset`.
        where: The field that names it, for the error message.

    Raises:
        SpecError: There is no such plugin; the message lists the known ones.
    """
    known = plugins(kind)
    if name not in known:
        raise SpecError(
            f"{where}: {name} is not supported; supported are {', '.join(sorted(known))}",
            f"{_INSTEAD.get(kind, '')}add a plugin in a package with an entry point of the group pose_harness.{kind}",
        )
    return known[name]


@cache
def plugins(kind: Kind) -> Mapping[str, Any]:
    """Return all plugins of a kind by name.

    Raises:
        SpecError: A plugin of another package cannot be imported, or its name is already used.
    """
    package = import_module(FOLDERS[kind])
    modules = (import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__))
    own = [one for module in modules for one in getattr(module, "PLUGINS", [getattr(module, "PLUGIN", None)]) if one]
    found = {one.name: one for one in own}
    for entry in entry_points(group=f"pose_harness.{kind}"):
        where = f"the entry point {entry.name} = {entry.value} of the group pose_harness.{kind}"
        try:
            added = entry.load()
            name = added.name
        except Exception as error:  # a package's code can raise any error
            raise SpecError(f"{where} cannot be loaded: {error!r}", "repair or uninstall its package") from error
        if name in found:
            raise SpecError(f"{where} has the name of another plugin: {name}", "rename it or uninstall its package")
        found[name] = added
    return found
