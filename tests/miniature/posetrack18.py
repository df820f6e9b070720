"""PoseTrack18's validation set: 17 keypoints, head boxes, ignore regions, a ground truth file per video, detections."""

from pathlib import Path
from typing import Any

from harness.demo.scene import Scene

from .figures import Box, DataSet, category, detect, draw, flat, head_box, label, write_image, write_json

ANNOTATIONS = "posetrack18/annotations/posetrack18_val.json"
BOXES = "posetrack18/annotations/posetrack18_val_human_detections.json"
SEQUENCES = "posetrack18/annotations/val"
IMAGES = "posetrack18"
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
NAMES = [
    "nose",
    "head_bottom",
    "head_top",
    "left_ear",
    "right_ear",
    *(f"{side}_{joint}" for joint in LIMBS for side in ("left", "right")),
]
JOINTS = ["nose", "upper_neck", "top_head", *NAMES[3:]]
SIZE = (640, 360)
# Video, frame, people, boxes.
PLAN = [("000303", 0, 4, 12), ("000303", 4, 3, 9), ("000202", 0, 2, 6), ("000101", 0, 1, 5)]


def write(folder: Path) -> DataSet:
    """Write PoseTrack18's files into MMPose's data folder.

    In the first frame, the head of the last person is above the image, but labelled; a distant crowd is an ignore
    region. Ears are not labelled.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for seed, (video, frame, people, count) in enumerate(PLAN):
        first = seed == 0
        scene, rng = draw(seed, SIZE, people, (110, 430), far_crowd=first, until=_head_above if first else _anything)
        image_id = 10**10 + int(video) * 10**4 + frame
        name = f"images/val/{video}_mpii_test/{frame:06}.jpg"
        write_image(folder / IMAGES / name, scene)
        images.append(_image(image_id, name, video, scene))
        found: list[Box] = []
        for track, person in enumerate(scene.people):
            keypoints = label(person, JOINTS, rng, beyond_edge=first and track == people - 1)
            keypoints[3:5] = 0
            keypoints[:, 2] = keypoints[:, 2] > 0
            x1, y1, x2, y2 = person.extent
            left, top, right, bottom = head_box(person)
            found.append((round(x1, 3), round(y1, 3), round(x2 - x1, 3), round(y2 - y1, 3)))
            annotations.append(
                {
                    "bbox_head": [round(side) for side in (left, top, right - left, bottom - top)],
                    "keypoints": flat(keypoints, 4),
                    "track_id": track,
                    "image_id": image_id,
                    "bbox": list(found[-1]),
                    "scores": [],
                    "category_id": 1,
                    "id": 100 * image_id + track,
                    "iscrowd": False,
                    "num_keypoints": int(keypoints[:, 2].sum()),
                }
            )
        boxes += detect(rng, image_id, SIZE, found, count)
    categories = [category(NAMES)]
    write_json(folder / ANNOTATIONS, {"categories": categories, "images": images, "annotations": annotations})
    write_json(folder / BOXES, boxes)
    for video in {video for video, *_ in PLAN}:
        frames = [image for image in images if image["vid_id"] == video]
        ids = {image["id"] for image in frames}
        people_there = [one for one in annotations if one["image_id"] in ids]
        document = {"categories": categories, "images": frames, "annotations": people_there}
        write_json(folder / SEQUENCES / f"{video}_mpii_test.json", document)
    return DataSet(
        images=tuple(image["file_name"] for image in images),
        annotations=len(annotations),
        people=len(annotations),
        boxes=tuple(count for *_, count in PLAN),
    )


def _anything(scene: Scene) -> bool:
    return True


def _head_above(scene: Scene) -> bool:
    """Return whether the head of the last person, and no other part, is above the image."""
    points = scene.people[-1].points
    beyond = {name for name in JOINTS if points[name][1] < 0}
    return "top_head" in beyond and "left_shoulder" not in beyond


def _image(image_id: int, name: str, video: str, scene: Scene) -> dict[str, Any]:
    regions = [scene.far_crowd] if scene.far_crowd else []
    return {
        "has_no_densepose": True,
        "is_labeled": True,
        "file_name": name,
        "nframes": 140,
        "frame_id": image_id,
        "vid_id": video,
        "ignore_regions_y": [[round(y) for y in (y1, y1, y2, y2)] for _, y1, _, y2 in regions],
        "ignore_regions_x": [[round(x) for x in (x1, x2, x2, x1)] for x1, _, x2, _ in regions],
        "id": image_id,
        "width": SIZE[0],
        "height": SIZE[1],
        "mask_file": name.replace("images/", "mask/"),
    }
