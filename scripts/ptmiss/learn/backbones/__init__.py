"""The parts of networks that see constituents."""
