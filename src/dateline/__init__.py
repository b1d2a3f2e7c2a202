"""Trains and evaluates language models conditioned on where a text comes from."""

__version__ = "0.1.0"
