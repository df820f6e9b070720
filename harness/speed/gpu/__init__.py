"""Measures a GPU within minutes: networks, decoders, crops and whole runs of COCO's table, in order of importance."""
