"""Figures: one of one result each, tidy tables in, Axes out."""
