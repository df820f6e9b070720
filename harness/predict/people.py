"""The people to estimate poses of, as their data set lists them."""

from harness.datasets.people import People, annotated_people, check_images, detected_people, load_people

__all__ = ["People", "annotated_people", "check_images", "detected_people", "load_people"]
