"""From people to keypoints: crops, networks, heatmaps, decoding; two engines, the shared one and MMPose's own."""
