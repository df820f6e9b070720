"""One package a family of metrics; `harness.metrics.family` has what each of them must give."""
