"""The daemon: puts capture, inference, analysis, rules, alerts and messaging together."""
