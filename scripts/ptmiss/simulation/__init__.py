"""Simulated collisions: generator, pile-up, parametric detector, vertices, ntuple."""
