"""What a model knows of a text, and of where it comes from: perplexity, country inference, questions, efficiency.

Every measure is a stage that adds rows to the long tables of `dateline.scores`, from which reports are made.
"""
