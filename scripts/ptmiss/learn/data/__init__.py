"""Datasets of a training."""
