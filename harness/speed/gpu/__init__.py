"""Measures a GPU: networks, decoders, crops and whole runs of COCO's table, in order of importance, within minutes."""
