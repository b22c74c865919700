"""The experiment of before.py, as it stands, in sweeps: its config, its named configs, its metrics.

Usage:
    python sweep.py named=wide lr=0.3
    python sweep.py --search tpe --trials 20 --pruner median 'lr=interval(1e-3, 1, log=true)'
"""

import signal

from before import ex
from omegaconf import OmegaConf
from sacred.initialize import create_run
from sacred.utils import SacredInterrupt

import sweeper
from sweeper.core.config_store import ConfigStore

BASE = {**create_run(ex, "main").config, "seed": None}  # the run's own, if none is given
store = ConfigStore.instance()
store.store("config", {"defaults": ["_self_", {"named": "none"}], **BASE})
for name, scope in {"none": dict, **ex.named_configs}.items():
    store.store(name, dict(scope()), group="named", package="_global_")


class Ended(sweeper.Pruned, SacredInterrupt):
    STATUS = "PRUNED"  # to Sacred's observers


@ex.pre_run_hook
def report(_run):
    log = _run.log_scalar

    def log_and_report(name, value, step=None):
        log(name, value, step)
        if sweeper.report({name: value}, step, prune=False):
            raise Ended

    _run.log_scalar = log_and_report


def changed(config, base):
    """Return what differs, so that Sacred calculates what depends on it."""
    return {
        key: changed(value, base[key]) if isinstance(value, dict) and key in base else value
        for key, value in config.items()
        if key not in base or value != base[key]
    }


@sweeper.main(config_name="config")
def train(cfg):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Sacred hears of Ctrl-C and time-outs
    updates = changed(OmegaConf.to_container(cfg), BASE)
    return ex.run(config_updates={"seed": sweeper.current_run().seed, **updates}).result


if __name__ == "__main__":
    train()
