"""Inspects the files of a data set, to report faults before a run takes hours."""
