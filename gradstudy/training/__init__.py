"""Training loops of the studies."""
