"""Dateline trains, evaluates and uses language models that know where a text comes from.

Enters: nothing. Leaves: the version. Deliberately not done: no imports, so that the command answers at once.
"""

__version__ = "0.1.0"
