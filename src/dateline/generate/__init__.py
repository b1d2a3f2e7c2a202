"""What a model writes: continuations of prompts, greedy or sampled."""
