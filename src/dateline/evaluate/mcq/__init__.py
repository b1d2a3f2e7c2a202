"""Multiple-choice questions, answered by log-likelihood or by sampling, under several conditions."""
