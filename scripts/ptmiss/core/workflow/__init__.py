"""What the workflow's planning needs."""
