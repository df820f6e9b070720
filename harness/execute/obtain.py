"""Downloads what a run needs and is not there, just before it is needed."""

from collections.abc import Mapping
from pathlib import Path

from harness.assets.fetch import Progress, checkpoint_item, data_items, obtain
from harness.errors import ObtainError
from harness.execute.plan import Plan, Settings, run_config
from harness.predict.people import check_images
from harness.spec.ledger import data_paths, image_folder
from harness.spec.schema import Row, Suite


def obtain_files(suite: Suite, row: Row, run: str, settings: Settings, progress: Progress) -> None:
    """Download a run's annotations, boxes and checkpoint where they are missing.

    Raises:
        ObtainError: Something cannot be downloaded, or only a person can.
    """
    spec = row.runs[run]
    config = run_config(suite, row, spec, settings)
    own = None if settings.boxes is None else str(settings.boxes.absolute())
    paths = [path for path in data_paths(config) if path not in (image_folder(config), own)]
    items = data_items(paths, settings.data)
    if settings.seed is None:
        items.append(checkpoint_item(spec.checkpoint, settings.checkpoints))
    for item in items:
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
