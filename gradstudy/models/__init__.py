"""Models: cells and initialisations."""
