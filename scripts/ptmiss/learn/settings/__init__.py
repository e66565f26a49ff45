"""Settings of trainings."""
