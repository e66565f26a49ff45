"""PUPPI: a weight for each candidate that suppresses pile-up (Bertolini et al., arXiv:1407.6013)."""
