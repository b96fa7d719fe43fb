"""Scenes of our own making: real or drawn pictures, turned into a test of one thing.

A scene is a function on frames, `scene(frames) -> (frames, truths)`; scenes can be put one after
the other with `chained`. See `truth` for the types, `sources` for what to begin with.
"""
