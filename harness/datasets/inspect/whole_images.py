"""Inspects images that must have one size, because MMPose uses a fixed square of the image as every person's box."""

import numpy as np

from harness.arrays import Float64
from harness.datasets.coco_file import Images
from harness.datasets.inspect.problems import Problems, chosen


def check_whole_images(
    problems: Problems, images: Images, sizes: Float64, named: list[int], size: Float64, keypoints: Float64, side: int
) -> None:
    """Add problems of images of another size, and of keypoints outside of the crop.

    Args:
        problems: The problems of the annotation file.
        images: The I images.
        sizes: [I, 2] width and height, px; NaN where the file does not state them.
        named: [M] the ids or indices of annotations for messages.
        size: [M, 2] width and height of each annotation's image, px.
        keypoints: [M, K, 3]
        side: Side of the square at 0, 0, px.
    """
    other = np.isfinite(sizes).all(axis=1) & (sizes != side).any(axis=1)
    if other.any():
        first = sizes[int(other.argmax())]
        problems.add(
            "error" if other.mean() > 0.5 else "warning",
            f"not {side}x{side}, the first is {first[0]:g}x{first[1]:g}: MMPose uses the square of {side} px at the "
            "upper left corner as the box for any size",
            "take the published images of the data set, neither resized nor cropped",
            field="width, height",
            what="image",
            ids=chosen(np.where(images.ids.known, images.ids.values, -1).tolist(), other),
        )
    beyond = (keypoints[..., 2] > 0) & (keypoints[..., :2] > side).any(axis=-1)
    problems.add(
        "warning",
        f"labelled outside of the square of {side} px: never found",
        "use annotations of the published images",
        field="keypoints",
        what="annotation",
        ids=chosen(named, beyond.any(axis=1) & (size > side).any(axis=1)),
    )
