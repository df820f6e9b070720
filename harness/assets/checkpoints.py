"""Checkpoints: loaded without running any code of theirs."""

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.errors import ObtainError, brief

AGAIN = "download it again"
LISTED = 10
"""How many wrong keys an error names."""
LARGEST_RATIO = 20
"""Of the content of a compressed checkpoint to the file: weights hardly shrink, and torch does not compress them."""
SMALL = 1 << 28
"""Content of so many bytes (256 MiB) is unpacked whatever its ratio."""


def load_weights(network: torch.nn.Module, path: Path, *, trusted: bool = False) -> None:
    """Load a checkpoint of MMPose into its network.

    Names of MMPose 0.x (`keypoint_head.*`) are translated by the hooks of MMPose's own modules. Every weight of the
    network must be in the file and every weight of the file in the network.

    Args:
        network: From `build_network`, or a detector.
        path: The .pth file.
        trusted: Let the file build any object that it names, which can run any code.

    Raises:
        ObtainError: The file is not a checkpoint, wants to run code, unpacks to far more than itself, or is for another
            network.
    """
    _check_declared_sizes(path)
    content = _read(path, trusted)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(_is_weight(*item) for item in state.items()):
        found = f"; it has {', '.join(map(brief, list(content)[:LISTED]))}" if isinstance(content, dict) else ""
        raise ObtainError(
            f"not a checkpoint: {path} has no weights under `state_dict`{found}",
            "use the file that MMPose saves, or save weights as torch.save({'state_dict': model.state_dict()}, PATH)",
        )
    metadata = getattr(state, "_metadata", None)
    state = {key.removeprefix("module."): value for key, value in state.items()}
    try:
        if metadata is not None:
            state = _with_metadata(state, metadata)
        network.load_state_dict(state)
    except Exception as error:  # of other metadata than torch writes, its own modules make anything
        if not isinstance(error, RuntimeError):
            raise ObtainError(f"not a checkpoint, or damaged: {path}: {_first_line(error)}", AGAIN) from error
        problems = list(_problems(str(error)))
        listed = "".join(f"\n    {problem}" for problem in problems[:LISTED])
        more = f"\n    and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise ObtainError(
            f"checkpoint {path} is for another network than the row's config builds:{listed}{more}",
            "check that the row names the checkpoint of its own config",
        ) from error


def _is_weight(name: Any, value: Any) -> bool:
    if not isinstance(value, torch.Tensor) or value.is_meta or value.is_complex():
        return False
    return value.layout is torch.strided and isinstance(name, str)


def _problems(message: str) -> Iterator[str]:
    """Take torch's report apart: a line of all missing keys, one of all unexpected ones, then a line a shape."""
    for line in message.splitlines()[1:]:
        kind, _, rest = line.strip().partition(" key(s) in state_dict: ")
        if rest:
            yield from (f"{kind.lower()} {key}" for key in re.findall(r'"([^"]+)"', rest))
        else:
            yield kind


def _with_metadata(state: dict[str, torch.Tensor], metadata: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Attach torch's versions of the modules, which decide whether names are translated."""
    versioned = OrderedDict(state)
    versioned._metadata = {  # type: ignore[attr-defined]
        key.removeprefix("module").removeprefix("."): value for key, value in metadata.items()
    }
    return versioned


def _check_declared_sizes(path: Path) -> None:
    """Refuse a zip archive, as torch writes them, that would fill the memory; its directory states all sizes.

    Raises:
        ObtainError: Names the sizes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return  # of torch's older format, or for torch to refuse
    size = path.stat().st_size
    if content > max(SMALL, LARGEST_RATIO * size):
        raise ObtainError(
            f"checkpoint refused: {path} of {size:,} bytes unpacks to {content:,}, which is no file of weights",
            "get it from its publisher, or save it again with torch.save, which does not compress",
        )


def _read(path: Path, trusted: bool) -> Any:
    try:
        if trusted:
            return torch.load(path, map_location="cpu", weights_only=False)
        with torch.serialization.safe_globals(_ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ObtainError(f"checkpoint is missing: {path}") from None
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise ObtainError(
                f"checkpoint refused: {path} wants {wanted[1]}, which is not part of a checkpoint and could run code",
                "get it from its publisher, for a file of weights alone needs no such object; or, if you would run a "
                "program of theirs on this machine, --trust-checkpoint",
            ) from error
        raise ObtainError(f"not a checkpoint, or damaged: {path}: {_first_line(error)}", AGAIN) from error
    except Exception as error:  # a reader of damaged or foreign data raises anything
        if "TorchScript" in str(error):
            raise ObtainError(
                f"not a checkpoint: {path} is a TorchScript program",
                "save its weights: torch.save({'state_dict': torch.jit.load(PATH).state_dict()}, 'net.pth')",
            ) from error
        raise ObtainError(f"not a checkpoint, or damaged: {path}: {_first_line(error)}", AGAIN) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


class _HistoryBuffer:
    """Takes the place of mmengine's training log, which 1.x checkpoints carry and which nobody here reads."""


def _history_method(owner: object, name: str) -> None:
    """Take the place of `getattr`, with which such a log names its own methods."""
    if owner is not _HistoryBuffer:
        raise pickle.UnpicklingError(f"Unsupported global: GLOBAL builtins.getattr of {owner!r}, {name!r}")


# Besides tensors, OpenMMLab's metadata holds numpy arrays and scalars, and training logs. NumPy 2 renamed the module of
# the functions that make them; either release reads the files of both.
_ALLOWED: list[Any] = [
    *(
        (value.__reduce__()[0], f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name, value in (("_reconstruct", np.empty(0)), ("scalar", np.float64(0)))
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdSU"),
    (bytes, "builtins.bytes"),  # the content of empty arrays
    (bytes, "__builtin__.bytes"),
    (_HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_history_method, "builtins.getattr"),
    (_history_method, "__builtin__.getattr"),
]
