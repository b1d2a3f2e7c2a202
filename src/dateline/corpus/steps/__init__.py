"""Steps: the pieces of the build as datatrove pipeline steps, so that any of its executors can run them.

Enters: work units and the recipe. Leaves: a work folder that is filled task by task; `build.py` sets them in a row.
Deliberately not done: no state between documents before `decide`, so that tasks can run anywhere and be run again.

    read -> clean -> place -> gates (length, place, language, quality) -> sign -> store      one task a piece of input
    decide: duplicates and splits over the whole corpus                                      one task
    shard: kept articles into Parquet, what was dropped beside them                          one task a few pieces
"""
