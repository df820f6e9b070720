"""Codecs: from what a network gives, such as heatmaps, to keypoints.

A module for each, with all that is known of it; the others are what they share. `decoding.py` decodes batches with the
codec of a run; `interface.py` says what a codec is. To add one, write a module here, or in another package, whose
`PLUGIN` is a `Codec` (harness/plugins.py).
"""
