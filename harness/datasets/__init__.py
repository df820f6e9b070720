"""Data sets: their annotation and box files, read once, and what MMPose makes of them."""
