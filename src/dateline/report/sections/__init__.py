"""The sections of the report, one module each: what is shown, in which order, with which words.

Enters: the score table and what lies beside it. Leaves: figures, tables and sentences for the template.
Deliberately not done: no drawing (figures/), no statistics, no reading of files.
"""
