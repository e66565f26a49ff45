"""Pages with figures, for any task."""
