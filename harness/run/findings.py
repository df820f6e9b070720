"""Reports problems in the data of a run, with the texts of `harness check --data`, before the prediction starts."""

from harness.datasets.findings import find_problems, find_wrong_sizes, scored_files, usable
from harness.datasets.interface import DataFiles
from harness.datasets.people import People
from harness.errors import MALFORMED, SpecError
from harness.run.plan import Plan
from harness.suites.decoding import evaluated_keypoints
from harness.suites.ledger import image_folder
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Row, Suite


def data_warnings(plan: Plan) -> list[str]:
    """Return warnings about the annotations and boxes that a reader of the number should see.

    Raises:
        ObtainError: The number would have no meaning, or a file is missing or malformed.
    """
    _, problems = find_problems(_files(plan), plan.settings.data, plan.protocol.file_digests)
    return usable(problems)


def size_warnings(plan: Plan, people: People) -> list[str]:
    """Return warnings about the sizes of people's images, which must exist; raises as above."""
    files, data = _files(plan), plan.settings.data
    annotated, _ = find_problems(files, data, plan.protocol.file_digests)
    return usable(find_wrong_sizes(files, data, annotated.images, list(people.images)))


def suite_warnings(plan: Plan, suite: Suite, row: Row) -> list[str]:
    """Return warnings about sizes that a suite states and the config contradicts; the config's are evaluated."""
    (width, height), dataset = plan.protocol.crop.input_size, suite.dataset_of(row)
    stated = {"input_size": (row.input_size, f"{height}x{width}")}
    try:
        count = evaluated_keypoints(plan.config)
    except (SpecError, *MALFORMED):  # a network of another kind, as in `harness check`
        count = None
    if count is not None:
        stated["dataset.num_keypoints"] = (str(dataset.num_keypoints), str(count))
    return [
        f"the suite contradicts the config: it states {field} {ours}, but {plan.spec.config} has {theirs}, which is "
        "evaluated; correct the wrong one"
        for field, (ours, theirs) in stated.items()
        if ours != theirs
    ]


def _files(plan: Plan) -> DataFiles:
    protocol, names = plan.protocol, read_metainfo(plan.config.test_dataloader.dataset).names
    images = image_folder(plan.config)
    return scored_files(protocol.dataset, protocol.annotations.path, protocol.scoring, names, protocol.boxes, images)
