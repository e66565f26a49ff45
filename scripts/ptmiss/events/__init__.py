"""Events and their candidates, before any estimator."""
