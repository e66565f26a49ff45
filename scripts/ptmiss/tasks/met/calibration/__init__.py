"""Calibration of an estimator in Z to mumu events: corrections, uncertainties, closure."""
