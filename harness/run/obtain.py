"""Downloads the missing files of a run, just before they are needed."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from harness.assets.checkpoint_files import identify_checkpoint
from harness.assets.dataset import same_file
from harness.assets.fetch import Item, OnFileBytes, checkpoint_item, data_items, obtain
from harness.datasets.people import check_images
from harness.errors import ObtainError, OtherFileError
from harness.run.plan import Plan, Settings
from harness.suites.ledger import data_paths, image_folders
from harness.suites.schema import Run


def needed_items(paths: list[str], run: Run, settings: Settings) -> list[Item]:
    """Return the items that a run needs: those of the data folder's paths, and its checkpoint unless it is seeded."""
    items = data_items(paths, settings.data)
    return items if settings.seed is not None else [*items, checkpoint_item(run.checkpoint, settings.checkpoints)]


def obtain_files(config: Config, run: Run, settings: Settings, progress: OnFileBytes) -> None:
    """Download a run's annotations, boxes and checkpoint if they are missing.

    Raises:
        ObtainError: A file cannot be downloaded, or must be downloaded by hand.
    """
    paths = [path for path in data_paths(config) if path not in image_folders(config)]
    for item in needed_items(paths, run, settings):
        if item.state != "there":
            obtain(item, settings.data, progress)


def check_files(plan: Plan) -> None:
    """Check that this node has the same files as the node that made the plan.

    Raises:
        ObtainError: A file is missing and cannot be downloaded, or has other content.
    """
    files = [("the annotation file", file) for file in plan.protocol.annotation_files]
    files += [("the box file", plan.protocol.boxes.file)] if plan.protocol.boxes.file else []
    wanted = [plan.settings.data / file.path for _, file in files]
    wanted += [plan.checkpoint.path] if plan.checkpoint else []
    if plan.settings.fetch and not all(path.exists() for path in wanted):
        obtain_files(plan.config, plan.spec, plan.settings, lambda *_: None)
    for what, file in files:
        same_file(plan.settings.data, file, what)
    if plan.checkpoint:
        found = identify_checkpoint(plan.checkpoint.path, plan.spec.checkpoint)
        if found.sha256 != plan.checkpoint.sha256:
            raise OtherFileError(
                f"checkpoint {found.path} has sha256 {found.sha256[:8]} on this node, and {plan.checkpoint.sha256[:8]} "
                "on the node that started the run",
                "copy the same file to all nodes",
            )


def obtain_images(plan: Plan, images: Mapping[int, Path], progress: OnFileBytes) -> None:
    """Check that all images exist; if some are missing and downloads are enabled, download the data set's images.

    Raises:
        ObtainError: Images are missing and cannot be downloaded, or are missing in the download.
    """
    data = plan.settings.data
    try:
        check_images(images)
    except ObtainError as missing:
        if not plan.settings.fetch:
            raise
        # If the image folder is the data folder itself, the annotation file identifies the data set.
        annotations = [file.path for file in plan.protocol.annotation_files]
        for item in data_items([*image_folders(plan.config), *annotations], data):
            if item.folder and any(path.is_relative_to(item.target) and not path.is_file() for path in images.values()):
                try:
                    obtain(item, data, progress)
                except ObtainError as error:
                    raise ObtainError(f"{missing}\n  {error}") from error
        check_images(images)
