"""Searches over a matrix of vectors."""
