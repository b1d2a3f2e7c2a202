"""Measures: a model becomes rows of the long tables."""
