"""Where heatmaps come from: a module for each kind of source; `interface.py` says what a source is.

MMPose's checkpoints, and seeded weights in their place, are the one kind here. To add one, write a module here, or in
another package, whose `PLUGIN` is a `ModelKind` (harness/plugins.py); a suite's run names it in its field `heatmaps`.
"""
