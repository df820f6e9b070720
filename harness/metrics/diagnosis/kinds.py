"""Classifies each keypoint of a pose: good, jitter, inversion, swap or miss.

The kinds are those of Ronchi and Perona (ICCV 2017), section 3.1, by the similarity ks of a predicted keypoint to a
labelled location; OKS is the mean of ks. A keypoint has the first of these kinds that applies:

- good: ks of 0.85 or more to the keypoint's own location;
- jitter: 0.5 or more to its own location;
- inversion: 0.5 or more to the mirrored keypoint, such as the right wrist for the left one, of the same person;
- swap: 0.5 or more to this keypoint or the mirrored one of another person in the image;
- miss: none of these.

Only labelled keypoints of the person count, including hidden ones. The paper's "semantically similar" keypoints are the
mirrored keypoint, as in its code (github.com/matteorr/coco-analyze, pycocotools/cocoanalyze.py). The code compares the
nearest of all these locations first, whereas the paper and this module compare the keypoint's own location first. The
kind can differ only for a keypoint that is near several locations.

For metrics by distance (PCK, PCKh, PoseTrack18's AP), ks = 2^-(d/t)² with the metric's threshold t. On MPII and
PoseTrack18, t is 0.5 times the head size. On JHMDB it is the protocol's fraction of the person's size, and in
PCKAccuracy that of the norm. NME has no threshold; t is 0.1 times the distance of the eye corners, or 0.05 times the
box. Therefore, up to rounding, the metric counts good and jitter as found. The limit of good is 0.484 t, the same
fraction of the limit of jitter as for OKS.
"""

import numpy as np
import numpy.typing as npt

from harness.arrays import Float64, Indices
from harness.metrics.diagnosis.model import Kind, Tally
from harness.metrics.diagnosis.people import AnnotatedPeople
from harness.metrics.same_image import same_image

GOOD_SIMILARITY = 0.85
FOUND_SIMILARITY = 0.5
KINDS: tuple[Kind, ...] = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(len(KINDS))
UNPAIRED = len(KINDS)
"""A labelled keypoint of a person without a pose."""
UNLABELLED = -1
Codes = npt.NDArray[np.int8]


def classify(points: Float64, people: AnnotatedPeople, owners: Indices, mirror: Indices) -> tuple[Codes, Float64]:
    """Return the kind of each keypoint of P poses, and its similarity to its own location.

    Args:
        points: [P, K, 2] image px; infinite for a keypoint that is not predicted.
        people: All annotated people of the images.
        owners: [P] index of the person of each pose.
        mirror: [K] for each keypoint, its counterpart in a mirrored image.

    Returns:
        [P, K] an index into KINDS, or UNLABELLED; [P, K] similarities, NaN where not labelled.
    """
    own = people.similarity(points, owners)
    inverted = people.similarity(points, owners, mirror) >= FOUND_SIMILARITY
    # The person's own locations can stay: a keypoint near them has another kind before swap is tested.
    poses, others = same_image(people.image_ids[owners], people.image_ids)
    near = np.maximum(people.similarity(points[poses], others), people.similarity(points[poses], others, mirror))
    swapped = np.zeros(own.shape, bool)
    np.logical_or.at(swapped, poses, near >= FOUND_SIMILARITY)

    labelled = people.labelled[owners]
    kinds = np.select(
        [~labelled, own >= GOOD_SIMILARITY, own >= FOUND_SIMILARITY, inverted, swapped],
        [UNLABELLED, GOOD, JITTER, INVERSION, SWAP],
        MISS,
    )
    return kinds.astype(np.int8), np.where(labelled, own, np.nan)


def tally(kinds: Codes) -> Tally:
    """Return the number of keypoints of each kind; `kinds` has any shape."""
    counts = np.bincount(kinds[kinds != UNLABELLED], minlength=UNPAIRED + 1).tolist()
    return Tally(**dict(zip((*KINDS, "unpaired"), counts, strict=True)))
