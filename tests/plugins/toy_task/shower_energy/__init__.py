"""A toy task: the energy of a shower from its deposits in four layers."""
