"""Sources of heatmaps: one module for each kind; `interface.py` defines the interface.

The only kind here are MMPose's networks, with checkpoints or seeded weights. To add a kind, write a module here, or in
another package, whose `PLUGIN` is a `ModelKind` (harness/plugins.py); a suite's run names it in its field `heatmaps`.
"""
