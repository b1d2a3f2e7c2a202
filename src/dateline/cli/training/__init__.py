"""Verbs around a training run: follow it, submit it to a cluster, take a model out of it.

Enters: the words of a command line. Leaves: what each verb says.
Deliberately not done: no training here; `dateline.cli.train` is the verb that trains, and `launch` calls it.
"""
