"""Typed, frozen settings: one module per config section, so that each stage depends on its own."""
