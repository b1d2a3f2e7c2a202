"""Dateline's questions as tasks of lm-evaluation-harness: YAML files, and the data that they read.

Enters: questions, conditions, a model's tokenizer. Leaves: a folder for `lm_eval --include_path`.
Deliberately not done: no import of lm_eval, and no locale switch: a task there knows one prompt an item.
"""
