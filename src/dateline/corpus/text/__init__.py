"""What can be said of one article by looking at it alone: clean text, day, language, quality, words."""
