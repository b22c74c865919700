"""TensorBoard (extra `tensorboard`): event files with scalars by step, and HParams; no TensorFlow.

One folder a run, in `tensorboard` of the sweep's directory: `tensorboard --logdir` on that, or on all of
`multirun`. A run is a session of the HParams tab, with the sweep's params and all metrics; the exact
status, and what is known beside it, is a text. No experiment is written: HParams works out the params'
domains and the metrics from the sessions, while the sweep goes on, and of several sweeps at once.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from ..grammar import show
from ..records import COMPLETED, PRUNED, Job, Outcome
from . import SweepRecord, library, unreported

_files = itertools.count()  # so that no two of this process have one name


class TensorBoard:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        dir: the folder of the runs' folders; by default `tensorboard` in the sweep's directory.
    """

    def __init__(self, sweep: SweepRecord, *, dir: str | None = None) -> None:  # noqa: A002
        library("tensorboard.summary", "tensorboard")
        place = os.path.join(sweep.directory, "tensorboard") if dir is None else dir
        if dir is not None and sweep.search:
            place = os.path.join(dir, sweep.id)
        self.folder = os.path.join(sweep.folder, place)
        self.runs: dict[str, _Events] = {}

    def start(self, run: Job) -> None:
        """Begin a session, in the place of an earlier attempt's."""
        if run.id in self.runs:
            self.runs.pop(run.id).file.close()
        events = self.runs[run.id] = _Events(os.path.join(self.folder, _name(run)))
        events.begin(str(run.number) if run.sweep_directory else run.id, run.params)

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Write scalars."""
        self.runs[run.id].scalars(metrics, step, at)

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Write the last scalars and the end of the session."""
        events = self.runs.pop(run.id)
        ended = datetime.fromisoformat(outcome.ended).timestamp() if outcome.ended else time.time()
        events.scalars(unreported(outcome, events.last), None, ended)
        if outcome.score is not None and outcome.score != events.last.get("score"):
            events.scalars({"score": outcome.score}, None, ended)
        known = {
            "status": outcome.status, "score": outcome.score, "seconds": outcome.seconds,
            "note": outcome.note, "error": outcome.error, "host": outcome.host, "seed": run.seed,
            "directory": run.directory, "tags": dict(outcome.tags), "artifacts": list(outcome.artifacts),
            "inputs": [dict(entry) for entry in outcome.inputs], "git": run.git,
        }  # fmt: skip
        events.text("sweeper", known, ended)
        events.text("config", run.config, ended)
        events.end(outcome.status, ended)
        events.file.close()

    def flush(self) -> None:
        """Hand the events to the system, so that TensorBoard sees them."""
        for events in self.runs.values():
            events.file.flush()

    def close(self, status: str) -> None:
        """Close what is still open."""
        for events in self.runs.values():
            events.file.close()


def _name(run: Job) -> str:
    return str(run.number) if run.sweep_directory else run.id


class _Events:
    """The event file of a run: a record an event, each summary one of TensorBoard's protocol buffers."""

    def __init__(self, folder: str) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.event, self.summary, self.tensor = event_pb2.Event, summary_pb2, tensor_pb2.TensorProto
        self.hparams, self.data, self.status = metadata, plugin_data_pb2, api_pb2
        self.last: dict[str, float] = {}
        self.step = -1  # the last that anything was reported at
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            if ".tfevents." in name:
                with suppress(OSError):
                    os.unlink(os.path.join(folder, name))
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_files)}"
        self.file = RecordWriter(open(os.path.join(folder, name), "wb"))  # noqa: SIM115  it stays open
        self.file.write(self.event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def write(self, at: float, step: int, *values: Any) -> None:
        summary = self.summary.Summary(value=values)
        self.file.write(self.event(wall_time=at, step=step, summary=summary).SerializeToString())

    def scalars(self, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        if not metrics:
            return
        self.step = self.step + 1 if step is None else step
        values = [self.summary.Summary.Value(tag=name, simple_value=v) for name, v in metrics.items()]
        self.write(at, self.step, *values)
        self.last.update(metrics)

    def text(self, tag: str, content: Any, at: float) -> None:
        """Write plain data as a text of Markdown."""
        text = "\n".join(f"    {line}" for line in json.dumps(content, indent=2, default=str).splitlines())
        kind = self.summary.SummaryMetadata(plugin_data={"plugin_name": "text"})
        shape = {"dim": [{"size": 1}]}
        tensor = self.tensor(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=shape)
        self.write(at, 0, self.summary.Summary.Value(tag=tag, metadata=kind, tensor=tensor))

    def begin(self, name: str, params: Mapping[str, Any]) -> None:
        """Write the params, under the name of the session."""
        info = self.data.SessionStartInfo(group_name=name, start_time_secs=time.time())
        for key, value in params.items():
            if isinstance(value, bool):
                info.hparams[key].bool_value = value
            elif isinstance(value, (int, float)):
                info.hparams[key].number_value = value
            else:
                info.hparams[key].string_value = value if isinstance(value, str) else show(value)
        self._session(self.hparams.SESSION_START_INFO_TAG, session_start_info=info)

    def end(self, status: str, at: float) -> None:
        """Write how the session ended; a pruned one's status is none of theirs."""
        codes = {COMPLETED: self.status.STATUS_SUCCESS, PRUNED: self.status.STATUS_UNKNOWN}
        code = codes.get(status, self.status.STATUS_FAILURE)
        info = self.data.SessionEndInfo(status=code, end_time_secs=at)
        self._session(self.hparams.SESSION_END_INFO_TAG, session_end_info=info)

    def _session(self, tag: str, **info: Any) -> None:
        kind = self.hparams.create_summary_metadata(self.data.HParamsPluginData(**info))
        value = self.summary.Summary.Value(tag=tag, metadata=kind, tensor=self.hparams.NULL_TENSOR)
        self.write(time.time(), 0, value)
