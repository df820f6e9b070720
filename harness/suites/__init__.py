"""Suites and rows as data, and their audit against MMPose's own files."""
