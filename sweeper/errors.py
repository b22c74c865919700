"""The exceptions of sweeper: every mistake that it can name is a `SweeperError`.

    SweeperError               what is wrong, where, and what to do
    ├── OverrideError          an override that cannot be read
    ├── ConfigError            a config that cannot be composed
    │   ├── MissingConfigError a file or an option that does not exist
    │   └── KeyAbsentError     an override of a key that does not exist
    ├── InstantiationError     a target that does not exist, is refused, or fails
    ├── SpaceError             a space that cannot be searched
    ├── SettingsError          a key or value under `sweeper` that means nothing
    ├── UsageError             a flag, a decorator or a call used wrongly
    ├── RecordError            a sweep's directory that cannot be used or resumed
    └── TrackerError           a tracker that cannot be reached, or refuses

    Pruned                     not an error: ends a run whose search lost interest in it

On the command line a `SweeperError` is printed without a traceback and exits with 2.
"""

from __future__ import annotations

from collections.abc import Iterable


class SweeperError(Exception):
    """A mistake that can be named: what is wrong, where it stands, what to do about it."""

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.where, self.hint) if line)


class OverrideError(SweeperError):
    """An override that cannot be read."""


class ConfigError(SweeperError):
    """A config that cannot be composed."""


class MissingConfigError(ConfigError):
    """A config file or an option of a group that does not exist."""


class KeyAbsentError(ConfigError):
    """An override of a key that the config does not have."""

    def __init__(self, what: str, where: str = "", hint: str = "", override: object = None) -> None:
        super().__init__(what, where, hint)
        self.override = override


class InstantiationError(SweeperError):
    """A target that does not exist, is refused, or fails."""


class SpaceError(SweeperError):
    """A space that cannot be searched."""


class SettingsError(SweeperError):
    """A key or a value under `sweeper` that means nothing."""


class UsageError(SweeperError):
    """A flag, a decorator or a call used wrongly."""


class RecordError(SweeperError):
    """A sweep's directory that cannot be used, read or resumed."""


class TrackerError(SweeperError):
    """A tracker that cannot be reached, or refuses what it is told."""


class Pruned(Exception):
    """Raised by `sweeper.report` in a run that should end early."""


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a question that names the words most like `word`, or nothing.

    >>> nearest("modle", ["model", "data"])
    "Did you mean 'model'?"
    """
    import difflib

    close = difflib.get_close_matches(word, list(words), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
