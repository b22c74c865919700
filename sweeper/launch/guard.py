"""The guard of pooled workers: it outlives the launching process by a moment, and ends what that left.

It reads the numbers of workers, one a line, a minus before those that are gone. When the launching
process goes away, for whatever reason, the pipe closes, and every worker ends with all that it started.
Run as a script, without the package: it must start at once. Speaks to nobody.
"""

import os
import signal
import sys


def main() -> None:
    """Read until the other side is gone, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    workers: set[int] = set()
    for line in sys.stdin:
        pid = int(line)
        if pid > 0:
            workers.add(pid)
        else:
            workers.discard(-pid)
    for pid in workers:
        for end in (os.killpg, os.kill):  # a worker without a run yet is no group of its own
            try:
                end(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            break


if __name__ == "__main__":
    main()
