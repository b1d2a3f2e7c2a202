"""Near-duplicates of a whole corpus: shingles and band hashes file by file, pairs and clusters over all files at once.

The build keeps shingles and band hashes on disk and hands them back.

    shingles    per file, in parallel: words -> shingle hashes -> band hashes
    candidates  one process: band hashes -> pairs that may be alike -> pairs that are, by exact Jaccard similarity
    clusters    one process: exact copies and pairs -> clusters -> the document that stays
"""
