"""The data set classes of MMPose that the harness evaluates, one per module."""
