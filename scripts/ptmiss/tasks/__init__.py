"""Estimators, a room each."""
