"""The revision of the code that predicts, a part of every `predictions_key`."""

REVISION = 1
"""Increase it when a change of code moves a prediction: saved predictions of earlier revisions are then made again.

It stays as it is for changes of words, speed or structure. `tests/predict/test_revision.py` fails after each change of
the predicting code until one of the two is decided.
"""
