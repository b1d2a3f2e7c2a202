"""Articles become tokens once; rows are planned and conditioned while loading.

Enters: a corpus folder. Leaves: an encoded corpus (Arrow shards and a tokenizer), and batches of rows for training.
Deliberately not done: no condition, split or mix is written to disk; a new variant costs no space.
"""
