"""Missing transverse momentum of every estimator, from the candidates of each event."""
