"""Reports problems in the data of a run, with the texts of `harness check --data`, before the prediction starts."""

from harness.datasets.findings import find_problems, find_wrong_sizes, scored_files, usable
from harness.datasets.interface import DataFiles
from harness.datasets.people import People
from harness.run.plan import Plan
from harness.suites.ledger import image_folder
from harness.suites.metainfo import read_metainfo


def data_warnings(plan: Plan) -> list[str]:
    """Return warnings about the annotations and boxes that a reader of the number should see.

    Raises:
        ObtainError: The number would have no meaning, or a file is missing or malformed.
    """
    _, problems = find_problems(_files(plan), plan.settings.data, _digests(plan))
    return usable(problems)


def size_warnings(plan: Plan, people: People) -> list[str]:
    """Return warnings about the sizes of people's images, which must exist; raises as above."""
    files, data = _files(plan), plan.settings.data
    annotated, _ = find_problems(files, data, _digests(plan))
    return usable(find_wrong_sizes(files, data, annotated.images, list(people.images)))


def _files(plan: Plan) -> DataFiles:
    protocol, names = plan.protocol, read_metainfo(plan.config.test_dataloader.dataset).names
    images = image_folder(plan.config)
    return scored_files(protocol.dataset, protocol.annotations.path, protocol.scoring, names, protocol.boxes, images)


def _digests(plan: Plan) -> tuple[str, ...]:
    protocol = plan.protocol
    files = [*protocol.annotation_files, *([protocol.boxes.file] if protocol.boxes.file else [])]
    return tuple(file.sha256 for file in [*files, *protocol.scoring.files.values()])
