"""What MMPose's evaluators call their metrics, and what we call them."""

import math
from collections.abc import Mapping

from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, Scoring

OKS = {
    "AP": "AP",
    "AP .5": "AP@0.5",
    "AP .75": "AP@0.75",
    "AP (M)": "AP(M)",
    "AP (L)": "AP(L)",
    "AR": "AR",
    "AR .5": "AR@0.5",
    "AR .75": "AR@0.75",
    "AR (M)": "AR(M)",
    "AR (L)": "AR(L)",
    "AP(E)": "AP(E)",
    "AP(M)": "AP(M)",
    "AP(H)": "AP(H)",
}
JOINTS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
MPII = {"PCK": "PCKh@0.5", "PCK@0.1": "PCKh@0.1"} | {
    f"{joint.capitalize()} PCK": f"PCKh@0.5({joint})" for joint in JOINTS
}
JHMDB = {"PCK": "PCK(person)", "tPCK": "PCK(torso)"} | {
    f"{short} {key}": f"PCK({norm}, {joint})"
    for short, joint in zip(("Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank"), JOINTS, strict=True)
    for key, norm in (("PCK", "person"), ("tPCK", "torso"))
}
POSETRACK = {"AP": "AP"} | {
    f"{short} AP": f"AP({joint})"
    for short, joint in zip(("Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl"), JOINTS, strict=True)
}


def our_names(values: Mapping[str, float], scoring: Scoring) -> dict[str, float | None]:
    """Return upstream's metrics under our names, as fractions; None where upstream has -1 or NaN: undefined.

    Args:
        values: What mmengine's Runner returns: `<prefix>/<name>` and value; MPII's and PoseTrack18's are in percent.
        scoring: How upstream scored.
    """
    match scoring:
        case OksScoring():
            names, unit = OKS, 1.0
        case PckhScoring():
            names, unit = MPII, 0.01
        case JhmdbScoring():
            names, unit = JHMDB, 1.0
        case _:
            names, unit = POSETRACK, 0.01
    stated = {names[key.rpartition("/")[2]]: float(value) for key, value in values.items()}
    return {name: None if value == -1 or math.isnan(value) else value * unit for name, value in stated.items()}
