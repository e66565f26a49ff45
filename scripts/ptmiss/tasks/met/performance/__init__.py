"""Response and resolution of estimators, with intervals, as tidy tables."""
