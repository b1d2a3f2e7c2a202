"""Checkpoint -> scores: protocols, perplexity by group and condition, paired statistics, and samples.

Enters: a model folder and an encoded corpus. Leaves: `documents.parquet` (one row a document and condition) and
`scores.parquet` (one row a number), which every figure and test of a report is computed from.
Deliberately not done: no scores of different protocols in one table, no comparison on different tokens.
"""
