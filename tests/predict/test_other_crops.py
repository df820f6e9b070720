"""Other ways to cut crops: each is compared with an independent implementation, on images with content everywhere."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from small_passes import draw_people

from harness.arrays import Floating, Image
from harness.predict import other_crops
from harness.predict.crop_stream import crop_stream
from harness.predict.crops import crop_regions, read_image, warp
from harness.predict.other_crops import OTHER_CUTS
from harness.protocol import Crop

PLAIN = Crop(input_size=(48, 64), padding=1.25, affine="plain")
SIZE = (48, 64)


def smooth_image() -> Image:
    """Return an image [160, 200, 3] whose colours are x, y and half their sum; a shift by a pixel changes them by 1."""
    y, x = np.mgrid[:160, :200]
    image: Image = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    return image


def cut(name: tuple[str, str], image: Image, matrix: Floating) -> Image:
    out = np.full((SIZE[1], SIZE[0], 3), 7, np.uint8)
    OTHER_CUTS[name](image, matrix, SIZE, out)
    return out


ZOOM = np.array([[1.3, 0, -40.4], [0, 1.3, -52.7]])


def noisy_image() -> Image:
    return np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)


@pytest.mark.parametrize(("tried", "flag"), [("nearest", cv2.INTER_NEAREST), ("cubic", cv2.INTER_CUBIC)])
def test_interpolations_of_opencv(tried: str, flag: int) -> None:
    image = noisy_image()
    expected = cv2.warpAffine(image, ZOOM, SIZE, flags=flag)
    found = cut(("resampling", tried), image, ZOOM)
    np.testing.assert_array_equal(found, expected)
    assert (found != warp(image, ZOOM, SIZE)).any()


def test_resizing_of_pillow_averages_where_the_crop_is_smaller() -> None:
    stripes = np.zeros((160, 200, 3), np.uint8)
    stripes[:, ::2] = 255
    small = np.array([[0.25, 0, 0], [0, 0.25, 0]])
    inside = cut(("resampling", "Pillow's"), stripes, small)[2:38, 2:46]
    assert np.abs(inside.astype(int) - 127).max() <= 2  # the mean of the stripes
    assert set(np.unique(warp(stripes, small, SIZE)[2:38, 2:46])) <= {0, 255}
    assert not cut(("resampling", "Pillow's"), stripes, small)[41:].any()  # below the image


def test_positions_of_opencv_5_are_not_rounded_to_thirty_seconds() -> None:
    """The crop differs from an exact bilinear interpolation in double precision by rounding only."""
    image, inverse = noisy_image(), cv2.invertAffineTransform(ZOOM)
    found = cut(("resampling", "bilinear of OpenCV 5"), image, ZOOM)
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    exact = np.zeros(found.shape)
    for y, x in np.ndindex(SIZE[1], SIZE[0]):
        column, row = inverse @ [x, y, 1]
        left, top = int(np.floor(column)), int(np.floor(row))
        if -1 <= left < 200 and -1 <= top < 160:
            right, lower = column - left, row - top
            rows = padded[top + 1 : top + 3, left + 1 : left + 3]
            upper_row, lower_row = (one[0] * (1 - right) + one[1] * right for one in rows)
            exact[y, x] = upper_row * (1 - lower) + lower_row * lower
    assert np.abs(found - exact).max() <= 0.51
    rounded = np.abs(warp(image, ZOOM, SIZE) - exact)
    assert rounded.max() > 1


@pytest.mark.parametrize(
    ("tried", "moved"),
    [("half a pixel to the right and down", 0.5), ("half a pixel to the left and up", -0.5)],
)
def test_half_a_pixel(tried: str, moved: float) -> None:
    doubled = np.array([[2.0, 0, -80], [0, 2.0, -100]])  # half a crop pixel is a quarter of an image pixel
    image = (smooth_image() // 4 * 4).astype(np.uint8)
    image = cv2.GaussianBlur(image, (9, 9), 3)
    found = cut(("crops", tried), image, doubled)
    expected = cv2.warpAffine(image, doubled + np.array([[0, 0, moved], [0, 0, moved]]), SIZE, flags=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(found, expected)
    assert (found != warp(image, doubled, SIZE)).any()


def test_pixels_as_areas_are_what_resizing_gives() -> None:
    """cv2.resize maps pixels as squares; an enlarged crop of the whole image equals its result except for rounding."""
    image = cv2.resize(noisy_image(), (24, 32), interpolation=cv2.INTER_AREA)
    twice = np.array([[2.0, 0, 0], [0, 2.0, 0]])
    resized = cv2.resize(image, SIZE, interpolation=cv2.INTER_LINEAR)[2:-2, 2:-2].astype(int)
    found = cut(("crops", "pixels as areas, not points"), image, twice)[2:-2, 2:-2]
    assert np.abs(found - resized).max() <= 2
    assert np.abs(warp(image, twice, SIZE)[2:-2, 2:-2] - resized).max() > 10


@pytest.mark.parametrize("name", OTHER_CUTS, ids=str)
def test_stream_cuts_with_what_it_is_given(tmp_path: Path, name: tuple[str, str]) -> None:
    """The crops of the stream are those of the given function, for any order of threads, and not of MMPose's warp."""
    people = draw_people(tmp_path, [3, 1, 2])
    images = {image_id: read_image(path) for image_id, path in people.images.items()}
    matrices = crop_regions(people, PLAIN).matrices
    others = 0
    for index, (crops,) in crop_stream(people, [PLAIN], 4, cut_out=OTHER_CUTS[name]):
        for person, crop in zip(index, crops, strict=True):
            image = images[int(people.image_ids[person])]
            np.testing.assert_array_equal(crop, cut(name, image, matrices[person]))
            others += bool((crop != warp(image, matrices[person], SIZE)).any())
    assert others


def test_names_are_given_once() -> None:
    assert len(set(OTHER_CUTS.values())) == len(OTHER_CUTS)
    assert other_crops.nearest in OTHER_CUTS.values()
