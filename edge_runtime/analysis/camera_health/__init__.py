"""Whether a camera shows what it should; docs/camera-health.md says how each is decided."""
