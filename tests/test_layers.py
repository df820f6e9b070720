"""Modules import downwards only, and no two classes have the same name."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HARNESS = Path(__file__).parents[1] / "harness"
FLOORS = (
    (
        "arrays",
        "document",
        "errors",
        "fields",
        "files",
        "image_file",
        "imports",
        "mat_file",
        "measures",
        "openmmlab",
        "plugins",
        "protocol",
    ),
    ("suites",),
    ("demo",),
    ("assets",),
    ("datasets",),
    ("predictions",),
    ("codecs",),
    ("predict",),
    ("metrics",),
    ("record", "run_folder"),
    ("judge",),
    ("report",),
    ("run",),
    ("speed", "doctor"),
    ("gpu_session",),
    ("api",),
    ("cli",),
    ("__init__", "__main__"),
)
"""From bottom to top; modules of the same floor may import each other."""
LEVELS = {name: level for level, names in enumerate(FLOORS) for name in names}


@cache
def modules() -> dict[Path, ast.Module]:
    paths = sorted(HARNESS.rglob("*.py"))
    return {path.relative_to(HARNESS): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the parts of harness that a module imports, except `harness` itself, which contains the version."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names]
            case ast.ImportFrom(module=str(module), names=names):
                found = [f"{module}.{name.name}" for name in names]
            case _:
                continue
        for name in found:
            package, _, rest = name.partition(".")
            part = rest.partition(".")[0]
            if package == "harness" and part in LEVELS:
                yield part


def test_each_folder_and_module_has_a_floor() -> None:
    assert {path.parts[0].removesuffix(".py") for path in modules()} <= LEVELS.keys()


def test_nothing_imports_upwards() -> None:
    upwards = []
    for path, tree in modules().items():
        own = path.parts[0].removesuffix(".py")
        upwards += [f"{path} imports harness.{part}" for part in imports(tree) if LEVELS[part] > LEVELS[own]]
    assert not upwards


def test_no_class_name_twice() -> None:
    names = Counter(node.name for tree in modules().values() for node in tree.body if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []
