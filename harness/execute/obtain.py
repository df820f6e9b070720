"""Downloads what a run needs and is not there, just before it is needed."""

from collections.abc import Mapping
from pathlib import Path

from harness.assets.fetch import Item, Progress, checkpoint_item, data_items, obtain
from harness.errors import ObtainError
from harness.execute.plan import Plan, Settings, run_config
from harness.predict.people import check_images
from harness.spec.ledger import data_paths, image_folder
from harness.spec.schema import Row, Run, Suite


def needed_items(paths: list[str], run: Run, settings: Settings) -> list[Item]:
    """Return what a run needs: what stands behind paths of the data folder, and its checkpoint unless it is seeded."""
    items = data_items(paths, settings.data)
    return items if settings.seed is not None else [*items, checkpoint_item(run.checkpoint, settings.checkpoints)]


def obtain_files(suite: Suite, row: Row, run: str, settings: Settings, progress: Progress) -> None:
    """Download a run's annotations, boxes and checkpoint where they are missing.

    Raises:
        ObtainError: Something cannot be downloaded, or only a person can.
    """
    config = run_config(suite, row, row.runs[run], settings)
    paths = [path for path in data_paths(config) if path != image_folder(config)]
    for item in needed_items(paths, row.runs[run], settings):
        if item.state != "there":
            obtain(item, settings.data, progress)


def obtain_images(plan: Plan, images: Mapping[int, Path], progress: Progress) -> None:
    """Make sure that all images are there; where some are not, download the data set's, if that is wanted.

    Raises:
        ObtainError: Images are missing and cannot be downloaded, or are missing from what was.
    """
    data = plan.settings.data
    try:
        check_images(images)
    except ObtainError as missing:
        if not plan.settings.fetch:
            raise
        # The annotations name their data set, where the folder of its images is the data folder itself.
        for item in data_items([image_folder(plan.config), plan.protocol.annotations.path], data):
            if item.folder and any(path.is_relative_to(item.target) and not path.is_file() for path in images.values()):
                try:
                    obtain(item, data, progress)
                except ObtainError as error:
                    raise ObtainError(f"{missing}\n  {error}") from error
        check_images(images)
