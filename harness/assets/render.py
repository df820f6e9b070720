"""The data that the project renders itself: a folder in the data folder, either complete or absent."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from harness.assets.cache import disk_errors
from harness.errors import ObtainError
from harness.files import sha256_file
from harness.suites.sources import Source, sources_of_entries


def render(source: Source, data: Path, progress: Callable[[int, int | None], object]) -> None:
    """Render the folder that contains an entry, and replace an incomplete one; a complete folder stays.

    Args:
        source: An entry with `rendered`.
        data: The data folder.
        progress: Called with the bytes of images written so far, and None.

    Raises:
        ObtainError: The folder cannot be written, or its files differ from those that the claims were measured on.
    """
    assert source.rendered is not None
    target = data / source.rendered.to
    with disk_errors(target, None, source.rendered.to):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two runs that start together render it once. The lock file stays, since a removed file would lock no process.
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not _differences(source, data):
                return
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as staging:
                new = Path(staging, "new")
                _draw(source.rendered.form, new, progress)
                if target.exists():
                    target.rename(Path(staging, "old"))
                new.rename(target)
    if differences := _differences(source, data):
        raise ObtainError(
            f"this machine renders data that differ from the data of the claims: {', '.join(differences)}",
            "install the versions of numpy and OpenCV that requirements.lock names",
        )


def _draw(form: str, folder: Path, progress: Callable[[int, int | None], object]) -> None:
    from harness.demo import dataset  # imports OpenCV and SciPy, not needed to list files

    match form:
        case "coco":
            dataset.write_coco(folder, dataset.VAL, progress)
        case "crowdpose":
            dataset.write_crowdpose(folder, dataset.CROWD_VAL, progress)
        case _:
            dataset.write_mpii(folder, dataset.MPII_VAL, progress)


def _differences(source: Source, data: Path) -> list[str]:
    """Return the entries of the same folder that are missing or differ from the published ones."""
    different = []
    for other in sources_of_entries(source.sources):
        if other.rendered == source.rendered:
            entry, path = other.entry, data / other.entry.path
            if entry.kind == "folder":
                same = path.is_dir() and sum(1 for _ in path.iterdir()) == entry.count
            else:
                same = path.is_file() and entry.sha256 in (None, sha256_file(path))
            different += [] if same else [entry.path]
    return different
