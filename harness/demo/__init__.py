"""The data of the demo suite: people rendered from a seed, and small networks trained on them.

The demo makes it possible to try and test the harness without downloads. It gives no information about MMPose's models.
"""
