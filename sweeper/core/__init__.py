"""Hydra's import paths, for existing code."""
