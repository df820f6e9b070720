"""The files that a run needs on disk: data sets, box files, checkpoints."""
