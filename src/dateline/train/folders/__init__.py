"""The folders of a run: checkpoints that are whole or absent, and model folders that transformers loads.

Enters: files that have just been written. Leaves: folders under their final names.
Deliberately not done: nothing is known here of steps, gradients or processes.
"""
