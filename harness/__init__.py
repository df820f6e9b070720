"""Reproduces the published numbers of MMPose's top-down heatmap models.

Data flows one way, and the folders show it: `spec` says what to run, `assets` puts it on disk, `predict` estimates
keypoints, `score` turns them into metrics, `judge` compares those with the claims, `report` renders the outcome.
The values that pass between the stages are the modules beside this file: `protocol`, `predictions`, `record`.
"""

__version__ = "0.1.0"
