"""Near-duplicates of a whole corpus: shingles and band hashes file by file, pairs and clusters over all files at once.

Enters: the plain words of every text. Leaves: for every document the cluster it belongs to and the one that stays.
Deliberately not done: no storage and no processes (the build keeps shingles and band hashes on disk and hands them
back), no fuzzy titles or URLs, no meaning: a story told again in other words is another story.

    shingles    per file, in parallel: words -> shingle hashes -> band hashes
    candidates  one process: band hashes -> pairs that may be alike -> pairs that are, by exact Jaccard similarity
    clusters    one process: exact copies and pairs -> clusters -> the document that stays
"""
