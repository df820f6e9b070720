"""A sha256 over the contents of a run's images.

The cache keeps every file's sha256 with its size and time of change, and a file is read again only if one of these
differs: 5,000 unchanged images take the time of 5,000 calls of `stat`.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.assets.cache import cache_folder
from harness.files import content_key, sha256_file, write_json

Known = dict[str, tuple[int, int, str]]
"""Size in bytes, time of change in ns, and sha256, by path."""


def images_digest(images: Mapping[int, Path]) -> str:
    """Return a sha256 over the ids and contents of images.

    Raises:
        OSError: An image is missing or cannot be read.
    """
    paths = {image_id: path.absolute() for image_id, path in images.items()}
    memory = _memory(paths)
    known = _remembered(memory)
    stats = {path: path.stat() for path in paths.values()}
    changed = [path for path, stat in stats.items() if known.get(str(path), ())[:2] != (stat.st_size, stat.st_mtime_ns)]
    with ThreadPoolExecutor() as pool:
        for path, sha256 in zip(changed, pool.map(sha256_file, changed), strict=True):
            known[str(path)] = stats[path].st_size, stats[path].st_mtime_ns, sha256
    if changed:
        with contextlib.suppress(OSError):  # the cache only saves time
            write_json(memory, known)
    return content_key(sorted((image_id, known[str(path)][2]) for image_id, path in paths.items()))


def _memory(paths: Mapping[int, Path]) -> Path:
    """Return the cache's file with the hashes of a data set's images: one for each common folder of images."""
    folder = os.path.commonpath([path.parent for path in paths.values()]) if paths else ""
    return cache_folder() / "images" / f"{content_key(folder)[:16]}.json"


def _remembered(memory: Path) -> Known:
    try:
        found = json.loads(memory.read_bytes())
        return {path: (int(size), int(time), str(sha256)) for path, (size, time, sha256) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # the file is written again
        return {}
