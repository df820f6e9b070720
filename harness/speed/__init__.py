"""Measures the shared engine beside upstream's own code on the same input; one module per measurement."""
