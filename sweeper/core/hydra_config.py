"""`hydra.core.hydra_config`, for existing code: the `hydra` node of the run that goes on."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from ..errors import UsageError
from ..hydra import whole_node
from ..nodes import build
from ..resolve import fact
from ..types import RunMode


class HydraConfig:
    """What Hydra's `hydra` node would say of the current run."""

    @staticmethod
    def get() -> DictConfig:
        """Return the node, read-only.

        Raises:
            UsageError: outside of a run.
        """
        node = fact("hydra")
        if node is None:
            raise UsageError("HydraConfig.get() is only known inside of a run")
        whole = whole_node(node)
        config = build({**whole, "mode": RunMode[whole["mode"]]})
        OmegaConf.set_readonly(config, value=True)
        return config

    @staticmethod
    def initialized() -> bool:
        """Return whether the caller is inside of a run."""
        return fact("hydra") is not None

    @staticmethod
    def instance() -> type[HydraConfig]:
        """Return what has the methods above."""
        return HydraConfig
