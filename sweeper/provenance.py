"""What a run came from: the git state of the folder, the versions of what is installed, the host."""

from __future__ import annotations

import os
import sys
from typing import Any


def git_head(folder: str) -> dict[str, Any] | None:
    """Return commit and branch of the repository that holds a folder, read from its files alone."""
    root = _git_folder(os.path.abspath(folder))
    if root is None:
        return None
    try:
        head = _text(os.path.join(root, "HEAD"))
        if not head.startswith("ref: "):
            return {"commit": head, "branch": None}
        ref = head[5:]
        branch = ref.removeprefix("refs/heads/")
        return {"commit": _commit(root, ref), "branch": branch}
    except OSError:
        return None


def git_state(folder: str) -> dict[str, Any] | None:
    """Return commit, branch, and whether files differ from the commit, which asks git."""
    state = git_head(folder)
    if state is None:
        return None
    import subprocess

    try:
        asked = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],  # noqa: S607  whichever git there is
            cwd=folder, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
        state["dirty"] = bool(asked.stdout.strip())
    except (OSError, subprocess.SubprocessError):
        state["dirty"] = None
    return state


def _git_folder(folder: str) -> str | None:
    while True:
        found = os.path.join(folder, ".git")
        if os.path.isdir(found):
            return found
        if os.path.isfile(found):  # a worktree or a submodule
            try:
                target = _text(found).removeprefix("gitdir: ")
            except OSError:
                return None
            return os.path.normpath(os.path.join(folder, target))
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _commit(root: str, ref: str) -> str | None:
    common = root
    shared = os.path.join(root, "commondir")
    if os.path.exists(shared):
        common = os.path.normpath(os.path.join(root, _text(shared)))
    for base in (root, common):
        path = os.path.join(base, ref)
        if os.path.exists(path):
            return _text(path)
    packed = os.path.join(common, "packed-refs")
    if os.path.exists(packed):
        for line in _text(packed).splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return None


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what a sweep does."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("sweeper", "omegaconf", "optuna", "scikit-optimize", "scikit-learn", "numpy", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
