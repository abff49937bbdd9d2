"""Measurements: one quantity a module."""
