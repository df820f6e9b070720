"""The doctor: what a machine has, and whether all that runs need computes right on its devices."""
