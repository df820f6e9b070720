"""PCKh: MPII."""
