"""What is in the scene: motion, tracking, zones. Pure: no I/O, no wall clock, no randomness."""
