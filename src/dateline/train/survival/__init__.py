"""What a run survives: signals, bad steps, hanging processes, damaged checkpoints.

Enters: signs of trouble. Leaves: a decision, and a line that says what happened.
Deliberately not done: nothing is repaired in silence.
"""
