"""Friend trees: calibrated pTmiss for every event of a file, beside it."""
