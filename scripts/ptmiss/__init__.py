"""A calibrated estimator of missing transverse momentum, from ntuple to report."""
