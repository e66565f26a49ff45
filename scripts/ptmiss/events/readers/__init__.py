"""Input formats, each turned into the same batch of events."""
