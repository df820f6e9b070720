"""From predictions to metrics. Never imports a network."""
