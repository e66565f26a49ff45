"""Uncertainties of response, resolution and mean pTmiss, from varied estimates."""
