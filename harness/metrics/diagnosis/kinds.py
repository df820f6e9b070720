"""What became of each keypoint of a pose: good, jitter, inversion, swap or miss.

Ronchi and Perona (ICCV 2017), section 3.1, by the similarity ks of a predicted keypoint to a labelled location; ks is
the term that OKS averages. The first of these that applies:

- good: ks of 0.85 or more to the keypoint's own location;
- jitter: 0.5 or more to it;
- inversion: 0.5 or more to the mirrored keypoint, such as the right wrist for the left one, of the same person;
- swap: 0.5 or more to this keypoint or the mirrored one of another person in the image;
- miss: none of these.

Only labelled keypoints of the person count, hidden ones too. The "semantically similar" keypoints of the paper are the
mirrored one, as in its code (github.com/matteorr/coco-analyze, pycocotools/cocoanalyze.py). The code takes the nearest
of all these locations first, where the paper and we first ask for the own one: only a keypoint that is near several
can become another kind by that.

For the metrics by distance (PCK, PCKh, PoseTrack18's AP), ks = 2^-(d/t)² with the metric's own threshold t: 0.5 times
the head's size on MPII and PoseTrack18, the protocol's share of the person's size on JHMDB and of the norm of
PCKAccuracy. NME has no threshold; 0.1 times the distance of the eye corners stands for it, or 0.05 times the box. So
what is good or jitter is what the metric counts as found, up to rounding, and good ends at 0.484 t, the same part of
where jitter ends as in OKS.
"""

import numpy as np
import numpy.typing as npt

from harness.arrays import Float64, Indices
from harness.metrics.diagnosis.model import Kind, Tally
from harness.metrics.diagnosis.people import AnnotatedPeople, same_image

GOOD_SIMILARITY = 0.85
FOUND_SIMILARITY = 0.5
KINDS: tuple[Kind, ...] = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(len(KINDS))
UNPAIRED = len(KINDS)
"""A labelled keypoint of somebody who has no pose."""
UNLABELLED = -1
Codes = npt.NDArray[np.int8]


def classify(points: Float64, people: AnnotatedPeople, owners: Indices, mirror: Indices) -> tuple[Codes, Float64]:
    """Tell the kind of each keypoint of P poses, and its similarity to its own location.

    Args:
        points: [P, K, 2] image px; infinite where a keypoint is not predicted.
        people: All annotated people of the images.
        owners: [P] whose pose each is.
        mirror: [K] for each keypoint, the one that it becomes in a mirrored image.

    Returns:
        [P, K] an index into KINDS, or UNLABELLED; [P, K] similarities, NaN where not labelled.
    """
    own = people.similarity(points, owners)
    inverted = people.similarity(points, owners, mirror) >= FOUND_SIMILARITY
    # The person's own locations need not be left out: who is near them is no swap by then.
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
    """Count keypoints of any shape by kind."""
    counts = np.bincount(kinds[kinds != UNLABELLED], minlength=UNPAIRED + 1).tolist()
    return Tally(**dict(zip((*KINDS, "unpaired"), counts, strict=True)))
