"""Checkpoints: loaded without running code that they contain."""

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
"""Most wrong keys that an error names."""
LARGEST_RATIO = 20
"""Largest ratio of a checkpoint's content to its file: weights hardly shrink, and torch does not compress them."""
SMALL = 1 << 28
"""Content of up to this many bytes (256 MiB) is unpacked with any ratio."""


def load_weights(network: torch.nn.Module, path: Path, *, trusted: bool = False) -> None:
    """Load a checkpoint of MMPose into its network.

    The hooks of MMPose's own modules translate names of MMPose 0.x (`keypoint_head.*`). The file and the network must
    have the same weights.

    Args:
        network: From `build_network`, or a detector.
        path: The .pth file.
        trusted: Let the file create any object that it names, which can run any code.

    Raises:
        ObtainError: The file is not a checkpoint, could run code, unpacks to far more than its size, or is for another
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
    except Exception as error:  # torch's modules raise any exception on unexpected metadata
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
    """Yield the problems in torch's report: a line of missing keys, a line of unexpected keys, then one per shape."""
    for line in message.splitlines()[1:]:
        kind, _, rest = line.strip().partition(" key(s) in state_dict: ")
        if rest:
            yield from (f"{kind.lower()} {key}" for key in re.findall(r'"([^"]+)"', rest))
        else:
            yield kind


def _with_metadata(state: dict[str, torch.Tensor], metadata: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Attach the versions of the modules, which decide whether names are translated."""
    versioned = OrderedDict(state)
    versioned._metadata = {  # type: ignore[attr-defined]
        key.removeprefix("module").removeprefix("."): value for key, value in metadata.items()
    }
    return versioned


def _check_declared_sizes(path: Path) -> None:
    """Check the sizes in the directory of a checkpoint in torch's zip format, so that loading cannot fill the memory.

    Raises:
        ObtainError: They are too large for the file; names the sizes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return  # torch's older format, or a file that torch refuses
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
                f"checkpoint refused: {path} needs {wanted[1]}, which is not part of a checkpoint and could run code",
                "get a file that has only weights from its publisher; or, if you trust the publisher's programs on "
                "this machine, use --trust-checkpoint",
            ) from error
        raise ObtainError(f"not a checkpoint, or damaged: {path}: {_first_line(error)}", AGAIN) from error
    except Exception as error:  # readers of damaged or unknown data raise any exception
        if "TorchScript" in str(error):
            raise ObtainError(
                f"not a checkpoint: {path} is a TorchScript program",
                "save its weights: torch.save({'state_dict': torch.jit.load(PATH).state_dict()}, 'net.pth')",
            ) from error
        raise ObtainError(f"not a checkpoint, or damaged: {path}: {_first_line(error)}", AGAIN) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


class _HistoryBuffer:
    """Replaces mmengine's training log, which checkpoints of MMPose 1.x contain; its content is not used."""


def _history_method(owner: object, name: str) -> None:
    """Replace `getattr`, by which such a log names its own methods."""
    if owner is not _HistoryBuffer:
        raise pickle.UnpicklingError(f"Unsupported global: GLOBAL builtins.getattr of {owner!r}, {name!r}")


# Besides tensors, OpenMMLab's metadata holds numpy arrays and scalars, and training logs. NumPy 2 renamed the module of
# the functions that create them; with both names, either release reads the files of both.
_ALLOWED: list[Any] = [
    *(
        (value.__reduce__()[0], f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name, value in (("_reconstruct", np.empty(0)), ("scalar", np.float64(0)))
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdSU"),
    (bytes, "builtins.bytes"),  # creates the content of empty arrays
    (bytes, "__builtin__.bytes"),
    (_HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_history_method, "builtins.getattr"),
    (_history_method, "__builtin__.getattr"),
]
