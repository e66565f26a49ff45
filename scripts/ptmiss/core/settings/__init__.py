"""The base of all sections of the settings."""
