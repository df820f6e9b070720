"""Images that are to be of one size, because MMPose takes a fixed square of them for everybody's box."""

import numpy as np

from harness.arrays import Float64
from harness.datasets.coco_file import Images
from harness.datasets.inspect.problems import Problems, chosen


def check_whole_images(
    problems: Problems, images: Images, sizes: Float64, named: list[int], size: Float64, keypoints: Float64, side: int
) -> None:
    """Note images of another size, and keypoints that no crop has.

    Args:
        problems: Of the annotation file.
        images: I of them.
        sizes: [I, 2] width and height, px; NaN where the file does not say.
        named: [M] what messages call the annotations.
        size: [M, 2] those of each one's image.
        keypoints: [M, K, 3]
        side: Of the square at 0, 0, px.
    """
    other = np.isfinite(sizes).all(axis=1) & (sizes != side).any(axis=1)
    if other.any():
        first = sizes[int(other.argmax())]
        problems.add(
            "error" if other.mean() > 0.5 else "warning",
            f"not {side}x{side}, the first is {first[0]:g}x{first[1]:g}: MMPose takes the square of {side} px at the "
            "upper left corner for the box, whatever the size",
            "take the images of the data set as they are published, neither resized nor cut",
            field="width, height",
            what="image",
            ids=chosen(np.where(images.ids.known, images.ids.values, -1).tolist(), other),
        )
    beyond = (keypoints[..., 2] > 0) & (keypoints[..., :2] > side).any(axis=-1)
    problems.add(
        "warning",
        f"labelled beyond the {side} px that are cut: never found",
        "see that the annotations are of the images as they are published",
        field="keypoints",
        what="annotation",
        ids=chosen(named, beyond.any(axis=1) & (size > side).any(axis=1)),
    )
