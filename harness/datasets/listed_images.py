"""Whether the images that an annotation file lists exist; also for an own part of a data set."""

from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from harness.datasets.lookup import file_names
from harness.errors import HarnessError
from harness.files import is_file
from harness.suites.ledger import annotation_path, image_folder
from harness.suites.pool import is_pool


def listed_images(configs: Iterable[Config], data: Path) -> dict[str, set[Path] | None]:
    """Return the images that the annotation files of configs list, by the folder of the images in the data folder.

    Args:
        configs: Configs with the overrides of their rows.
        data: The data folder.

    Returns:
        None for a folder with an annotation file that does not exist or cannot be read, or with several data sets.
    """
    found: dict[str, set[Path] | None] = {}
    read: set[tuple[str, str, str]] = set()
    for config in configs:
        dataset = config.test_dataloader.dataset
        folder, annotations = image_folder(config), annotation_path(config)
        if (folder, annotations, dataset.type) in read:
            continue
        read.add((folder, annotations, dataset.type))
        listed = found.setdefault(folder, set())
        try:
            names = None if is_pool(dataset) else file_names(dataset.type, data / annotations)
        except HarnessError:  # a run reports it
            names = None
        if names is None or listed is None:
            found[folder] = None
        else:
            listed.update(data / folder / name for name in names.values())
    return found


def all_there(images: Iterable[Path]) -> bool:
    """Return whether all images exist."""
    return all(map(is_file, images))
