"""The data set classes of MMPose that are evaluated here, one a module."""
