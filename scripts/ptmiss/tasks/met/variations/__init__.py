"""Systematic variations of the candidates, and every estimator computed from the varied ones."""
