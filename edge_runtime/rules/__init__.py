"""What the bank wants to know: one module a rule. Pure, as `analysis` is."""
