"""Files: written whole or not at all, compared with their sums and layouts when they are read."""
