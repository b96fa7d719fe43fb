"""How good alerts and tracks are, held against the truth. Pure, but for the reading of a file."""
