"""The network: transformers' Llama with attention that stays inside documents.

Enters: a size by name and a vocabulary. Leaves: a Hugging Face model, its loss, its scores.
Deliberately not done: no model classes of our own; every checkpoint loads in transformers unchanged.
"""
