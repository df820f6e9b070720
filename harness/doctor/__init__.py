"""The doctor: describes a machine, and checks whether its devices compute correctly for all parts of a run."""
