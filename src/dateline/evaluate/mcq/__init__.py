"""Many-choice questions: read, audited, and answered by log-likelihood.

Enters: JSON Lines or Parquet with question, options, answer, country. Leaves: an audit; scores of which every item is a
part.
Deliberately not done: no questions are made here, and none is mended.
"""
