"""One command for a GPU that is available for minutes: does the steps in order of importance, and saves each result.

It requires only Python, PyTorch and the wheels that `benchmarks/gpu/gather_wheels.py` collects. It imports only the
standard library, so that a missing or broken package makes a step fail, not the session.
"""
