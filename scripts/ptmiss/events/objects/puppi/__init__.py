"""PUPPI: a weight for each candidate that suppresses pile-up (arXiv:1407.6013)."""
