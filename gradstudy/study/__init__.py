"""Studies: specification, grid, identity, ledger, execution."""
