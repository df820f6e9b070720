"""One command for a GPU that is there for minutes: everything in order of importance, kept after each step.

It needs nothing installed but Python, PyTorch and what `benchmarks/gpu/gather_wheels.py` gathers, and imports nothing
but the standard library itself: a package that is missing or broken fails a step, not the session.
"""
