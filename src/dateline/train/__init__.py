"""Training: from an encoded corpus and a recipe to a Hugging Face model folder; `loop.py` is the loop."""
