"""Random and adversarial search against a bound."""
