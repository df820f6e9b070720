"""What must be on disk before a run: data sets, box files, checkpoints."""
