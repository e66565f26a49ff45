"""The network that weights candidates: features, datasets, training, checkpoints."""
