"""Rewrites of an ONNX graph that compute the same, faster: kept only where that is measured.

Adding one: a function that changes a copy of a graph and says how many places it changed, and its
name in `applied.PASSES`, by the target that it pays for.
"""
