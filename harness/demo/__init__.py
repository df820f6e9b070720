"""The demo suite's data: people rendered from a seed, and the small networks trained on them.

It exists so that the harness can be tried, and tested, without a download. It says nothing about MMPose's models.
"""
