"""Supervised fine-tuning: instruction data with true places, rendered as in pre-training, trained with TRL."""
