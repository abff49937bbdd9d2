"""Bounds and predictions of the papers, in numpy."""
