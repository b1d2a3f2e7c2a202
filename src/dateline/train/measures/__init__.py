"""What a run says of itself while it goes on: validation losses, and the totals of its steps.

Enters: batches and a model. Leaves: numbers for `metrics.jsonl`.
Deliberately not done: nothing here changes a weight.
"""
