"""From people to keypoints: crops, networks, heatmaps, decoding. Two engines: the shared one and MMPose's own loop."""
