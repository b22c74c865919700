"""The store of configs that stand in the program: Hydra's `ConfigStore`, and a source that reads it.

A node may be a dataclass or an attrs class, whose types then hold; a dict or a list; or a config.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from .groups import Config, config_of

STRIP = "sweeper_strip_defaults"  # the flag of a typed node that has a defaults list of its own


class ConfigNode(NamedTuple):
    """A config in the store."""

    name: str
    node: Any
    group: str | None = None
    package: str | None = None
    provider: str | None = None


class ConfigStore:
    """All configs that programs have stored, by `group/name`; one for the process."""

    _instance: ConfigStore | None = None

    def __init__(self) -> None:
        self.repo: dict[str, ConfigNode] = {}

    @classmethod
    def instance(cls) -> ConfigStore:
        """Return the one store."""
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def store(
        self,
        name: str,
        node: Any,
        group: str | None = None,
        package: str | None = None,
        provider: str | None = None,
    ) -> None:
        """Store a config as `group/name`; the last one stored under a name counts.

        Args:
            name: the option's name.
            node: a dataclass or attrs class, or an instance of one; a dict, a list or a config.
            group: the group, its parts separated by slashes.
            package: where the config goes, as a `# @package` header would say it.
            provider: who stores it, for errors and `--info`.
        """
        name = name.removesuffix(".yaml")
        path = f"{group}/{name}" if group else name
        self.repo[path] = ConfigNode(name, OmegaConf.structured(node), group, package, provider)

    def load(self, config_path: str) -> ConfigNode:
        """Return a copy of a stored config.

        Raises:
            KeyError: if there is none of the name.
        """
        found = self.repo[config_path.removesuffix(".yaml")]
        return found._replace(node=_copy(found.node))

    def list(self, path: str) -> list[str]:
        """Return the names right under a group."""
        prefix = f"{path}/" if path else ""
        inside = (name[len(prefix) :] for name in self.repo if name.startswith(prefix))
        return sorted({name.partition("/")[0] for name in inside})


def _copy(node: Any) -> Any:
    from copy import deepcopy

    return deepcopy(node)


class Stored:
    """The store as a source of configs."""

    provider, shown = "schema", "structured://"

    def __init__(self, store: ConfigStore) -> None:
        self.store = store

    @property
    def schemas(self) -> dict[str, Any]:
        """The stored configs, by `group/name`."""
        return {path: found.node for path, found in self.store.repo.items()}

    def __repr__(self) -> str:
        return f"{self.provider}: {self.shown}"

    def available(self) -> bool:
        """Whether the source exists at all."""
        return True

    def read(self, path: str) -> Config | None:
        """Return a stored config: as plain data, or typed as it is."""
        found = self.store.repo.get(path.removesuffix(".yaml"))
        if found is None:
            return None
        where = f"structured://{path}"
        if not is_typed(found.node):
            content = OmegaConf.to_container(found.node, resolve=False)
            return config_of(content, where, header=found.package)
        node = _copy(found.node)
        defaults: Any = []
        if "defaults" in node:
            defaults = OmegaConf.to_container(node.defaults, resolve=False)
            if isinstance(node, DictConfig) and OmegaConf.get_type(node) is not dict:
                node._set_flag(STRIP, True)  # noqa: SLF001  the field would come back with its class
            else:
                with read_write(node), open_dict(node):
                    del node["defaults"]
        listed = config_of({"defaults": defaults}, where, header=found.package)
        return listed._replace(content=node)

    def has_group(self, group: str) -> bool:
        """Whether there is such a group here."""
        return any(name.startswith(f"{group}/") for name in self.store.repo)

    def list(self, group: str) -> tuple[list[str], list[str]]:
        """Return the options and the groups right under `group`."""
        prefix = f"{group}/" if group else ""
        inside = [name[len(prefix) :] for name in self.store.repo if name.startswith(prefix)]
        options = sorted(name for name in inside if "/" not in name)
        return options, sorted({name.partition("/")[0] for name in inside if "/" in name})


def is_typed(node: Any) -> bool:
    """Whether a config has a type anywhere in it, so that OmegaConf must merge it."""
    if not OmegaConf.is_config(node):
        return False
    metadata = node._metadata  # noqa: SLF001  no public way tells
    if isinstance(metadata.object_type, type) and metadata.object_type not in (dict, list):
        return True
    content = node._content  # noqa: SLF001
    if isinstance(content, (dict, list)):
        children = content.values() if isinstance(content, dict) else content
        return any(_has_type(child) for child in children)
    return False


def _has_type(child: Any) -> bool:
    if OmegaConf.is_config(child):
        return is_typed(child)
    return type(child).__name__ != "AnyNode"
