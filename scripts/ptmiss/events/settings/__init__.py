"""Settings of samples, folds and the skim."""
