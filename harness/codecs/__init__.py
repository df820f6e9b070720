"""Codecs: decode the outputs of a network, such as heatmaps, to keypoints.

Each codec has its own module; the other modules have code that codecs share. `interface.py` defines the class `Codec`,
and harness/predict/decoding.py decodes batches with the codec of a run. To add a codec, write a module here, or in
another package, whose `PLUGIN` is a `Codec` (harness/plugins.py).
"""
