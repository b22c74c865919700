"""What a run came from: the git state of the folder, the versions of what is installed, the host."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain, count
from typing import Any

from .records import Program
from .redact import masked_words


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


class GitDiff:
    """What a repository's files differ in from their commit, written by git while we go on."""

    def __init__(self, folder: str, path: str) -> None:
        """Begin to write the diff of the repository that holds a folder."""
        self.path, self.pid = path, 0
        if not hasattr(os, "posix_spawnp"):  # Windows
            return
        to = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        streams = [(os.POSIX_SPAWN_OPEN, 1, path, to, 0o666), (os.POSIX_SPAWN_OPEN, 2, os.devnull, to, 0o666)]
        command = ["git", "-C", folder, "diff", "--no-color", "--no-ext-diff", "HEAD"]
        with suppress(OSError):
            self.pid = os.posix_spawnp("git", command, os.environ, file_actions=streams)

    def end(self) -> bool | None:
        """Wait for it and return whether there was a difference; None if git cannot tell.

        Without a difference there is no file.
        """
        if not self.pid:
            return None
        code, size = 1, 0
        with suppress(OSError):  # whoever waits for any child may have had ours
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with suppress(OSError):
            size = os.path.getsize(self.path)
            if code or not size:
                os.unlink(self.path)
        return None if code else size > 0


def git_state(folder: str, directory: str) -> dict[str, Any] | None:
    """Return commit, branch, and whether files differ from it: in a sweep's directory, `git.diff` has how.

    A resumed sweep's is `git.2.diff`, and so on.
    """
    state = git_head(folder)
    if state is not None:
        taken = {name for name in os.listdir(directory) if name.startswith("git.")}
        name = next(n for n in chain(["git.diff"], (f"git.{k}.diff" for k in count(2))) if n not in taken)
        state["dirty"] = GitDiff(folder, os.path.join(directory, name)).end()
        if state["dirty"]:
            state["diff"] = name
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


# Those that decide what a sweep does: a change of theirs is worth a word when it is resumed.
DECISIVE = ("python", "sweeper", "omegaconf", "optuna", "scikit-optimize", "scikit-learn", "numpy", "torch")


def versions() -> dict[str, str]:
    """Return the versions of Python and of all packages, as the names of their folders tell them."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for entry in sys.path:
        with suppress(OSError), os.scandir(entry or ".") as files:
            for file in files:
                stem, ending = os.path.splitext(file.name)
                name, dash, version = stem.partition("-")
                if ending in (".dist-info", ".egg-info") and dash:
                    found.setdefault(name.replace("_", "-").lower(), version.partition("-")[0])
    return dict(sorted(found.items(), key=lambda item: (item[0] != "python", item[0])))


def sha256(data: bytes) -> str:
    """Return a digest; without hashlib, whose import takes OpenSSL's 3 ms, where Python has its own."""
    name = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        found = import_module(name)
    except ImportError:
        found = import_module("hashlib")
    return str(found.sha256(data).hexdigest())


def digest_of(path: str) -> str | None:
    """Return the sha256 of a file, or None if there is none."""
    try:
        with open(path, "rb") as file:
            return sha256(file.read())
    except OSError:
        return None


def origin(program: Program, git: Mapping[str, Any] | None, redact: Sequence[str] = ()) -> dict[str, Any]:
    """Return what it takes to make a run or a sweep of a program again, beside its config."""
    ref = program.ref
    return {
        "program": {
            "main": ref.main,
            "module": ref.module,
            "function": ref.name,
            "sha256": digest_of(ref.main),
            "interpreter": sys.executable,
            "folder": program.folder,
            "flags": list(program.flags),
            "from_python": not program.words,
            "command": shlex.join(masked_words(program.line, redact)),
        },
        "versions": versions(),
        "git": dict(git) if git else None,
    }
