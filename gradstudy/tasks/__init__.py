"""Tasks: synthetic sequences and real data sets."""
