"""Digests of the code that can move a prediction, without its words.

`python tests/predict/predicting_code.py` writes them to `predicting_code.json`, after a change that moves no prediction
or after an increase of `REVISION` in `harness/predict/revision.py`.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.predict.revision import REVISION

HARNESS = Path(__file__).parents[2] / "harness"
PINNED = Path(__file__).with_suffix(".json")
PREDICTING = (
    "predict",
    "codecs",
    "datasets",
    "assets/checkpoints.py",
    "image_file.py",
    "mat_file.py",
    "predictions.py",
    "run/passes.py",
    "run/run_in_pass.py",
    "run/shards.py",
    "run/worker.py",
)
"""What makes predictions from files. What reads a suite or a config is left out, since the key names their content."""
ASIDE = ("datasets/inspect", "datasets/inspection.py", "datasets/findings.py", "predict/revision.py")
"""What inspects data, and computes no prediction."""


def predicting_files(root: Path = HARNESS) -> Iterator[Path]:
    """Yield the modules that can move a prediction."""
    for name in PREDICTING:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            place = file.relative_to(root).as_posix()
            if not any(place == aside or place.startswith(f"{aside}/") for aside in ASIDE):
                yield file


def code_digest(source: str) -> str:
    """Return a digest of a module's code: of its syntax without comments, docstrings, annotations and error messages.

    It is the same for every version of Python, whose `ast.dump` differs.
    """
    return hashlib.sha256(json.dumps(_plain(ast.parse(source))).encode()).hexdigest()[:16]


def _plain(node: Any, raised: bool = False) -> Any:
    """Return a syntax tree as lists; `raised` is set inside of a `raise`, where strings are messages."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return None
        case ast.Constant(value=str()) | ast.JoinedStr() if raised:
            return "message"
        case ast.AST():
            inside = raised or isinstance(node, ast.Raise)
            named = ((name, _plain(value, inside)) for name, value in ast.iter_fields(node) if name not in _WORDS)
            return [type(node).__name__, *([name, value] for name, value in named if value not in (None, []))]
        case list():
            return [plain for each in node if (plain := _plain(each, raised)) is not None]
        case _:
            return None if node is None else repr(node)


_WORDS = {"annotation", "returns", "type_comment", "kind", "ctx"}


def digests(root: Path = HARNESS) -> dict[str, str]:
    """Return the digest of each module by its path in the package."""
    return {
        file.relative_to(root).as_posix(): code_digest(file.read_text(encoding="utf-8"))
        for file in predicting_files(root)
    }


if __name__ == "__main__":
    PINNED.write_text(json.dumps({"revision": REVISION, "modules": digests()}, indent=1) + "\n", encoding="utf-8")
