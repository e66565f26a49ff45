"""The parts of networks that make estimates, with their losses."""
