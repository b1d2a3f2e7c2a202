"""Text: what can be said of one article by looking at it alone.

Enters: the strings of one record. Leaves: cleaned text, a day, a language, its quality, its words.
Deliberately not done: nothing that needs a second document; that is the business of `duplicates` and `split`.
"""
