"""Chains: a network as a chain of maps."""
