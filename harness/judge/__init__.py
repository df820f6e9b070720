"""Derives verdicts and conclusions from metrics and claims."""
