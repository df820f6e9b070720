"""Data sets: reads their annotation and box files once, and lists samples as MMPose does."""
