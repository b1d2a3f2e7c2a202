"""Rows become checkpoints.

Enters: an encoded corpus and a recipe. Leaves: a Hugging Face model folder, metrics as JSON Lines, a manifest.
Deliberately not done: no Trainer class to inherit from; `loop.py` is the loop.
"""
