"""Computes metrics from predictions; imports no network."""
