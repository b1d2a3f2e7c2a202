"""The network: transformers' Llama with attention that stays inside documents, its loss, and its scores."""
