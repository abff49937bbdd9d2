"""Claims of the literature and the rules that decide them."""
