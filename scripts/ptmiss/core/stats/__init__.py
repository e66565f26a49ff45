"""Statistics of many replicas."""
