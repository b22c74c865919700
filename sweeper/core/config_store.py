"""`hydra.core.config_store`, for existing code."""

from ..store import ConfigNode, ConfigStore

__all__ = ["ConfigNode", "ConfigStore"]
