"""The families of metrics, one package each; `harness.metrics.family` has their interface."""
