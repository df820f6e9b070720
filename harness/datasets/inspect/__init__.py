"""Inspects the files of a data set: what is wrong with them, before a run spends hours on it."""
