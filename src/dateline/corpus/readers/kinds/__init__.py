"""Kinds: one reader for each kind of file.

Enters: files. Leaves: records, and what is none; `registry.py` says which extension belongs to whom.
Deliberately not done: readers know nothing of each other, but that tables, feeds and zips share their parts.
"""
