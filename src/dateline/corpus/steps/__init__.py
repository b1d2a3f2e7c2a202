"""The build as datatrove pipeline steps, so that any of its executors can run them.

No step before `decide` keeps state between documents, so tasks can run anywhere and be run again.

    read -> clean -> place -> gates (length, place, language, quality) -> sign -> store      one task a piece of input
    decide: duplicates and splits over the whole corpus                                      one task
    shard: kept articles into Parquet, what was dropped beside them                          one task a few pieces
"""
