"""From metrics and claims to verdicts."""
