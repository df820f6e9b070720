"""MMPose's CombinedDataset with unique ids; its samples have the ids of their data sets, which repeat."""

from typing import Any

import torch.utils.data

from harness.arrays import Int64
from harness.datasets.people import People
from harness.errors import RunError


class _WithIds(torch.utils.data.Dataset[Any]):
    """Some samples of a CombinedDataset, whose ids are those of people."""

    def __init__(self, combined: Any, chosen: list[int], people: People) -> None:
        self._combined, self._chosen = combined, chosen
        self._ids: Int64 = people.ids
        self._image_ids: Int64 = people.image_ids

    @property
    def metainfo(self) -> Any:
        """The metainfo, which evaluators read."""
        return self._combined.metainfo

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Any:
        sample = self._combined[self._chosen[index]]
        ids = {"id": int(self._ids[index]), "img_id": int(self._image_ids[index])}
        sample["data_samples"].set_metainfo(ids)
        return sample


def of_people(combined: Any, people: People, *, whole: bool) -> torch.utils.data.Dataset[Any]:
    """Return a CombinedDataset with the samples of some people, in their order, under their ids.

    Args:
        combined: The data set of MMPose.
        people: Its people, or those of some images, in its order (`harness.datasets.classes.combined`).
        whole: They are all its people.

    Raises:
        RunError: MMPose lists other people than those that are evaluated; names the first.
    """
    combined.full_init()
    count = len(combined.datasets)
    listed = [
        info["id"] * count + number
        for number, part in enumerate(combined.datasets)
        for info in (part.get_data_info(index) for index in range(len(part)))
    ]
    chosen: list[int] = []
    for index, unique in enumerate(listed):
        if len(chosen) < len(people) and unique == people.ids[len(chosen)]:
            chosen.append(index)
    if len(chosen) < len(people):
        own, number = divmod(int(people.ids[len(chosen)]), count)
        raise RunError(f"MMPose does not list person {own} of data set {number} in the order of the evaluated people")
    if whole and len(listed) > len(people):
        raise RunError(f"MMPose lists {len(listed)} people, but {len(people)} are evaluated")
    return _WithIds(combined, chosen, people)
