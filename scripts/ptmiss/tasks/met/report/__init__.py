"""Figures and the HTML page, drawn from the tables and never recomputed."""
