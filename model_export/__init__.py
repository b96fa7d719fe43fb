"""The offline toolchain: inspects, measures, compares and bundles models for the boards.

It may import `edge_runtime`, never the other way round.
"""
