"""Verifying a figure or a report: drawn again, recomputed, or its runs executed again."""
