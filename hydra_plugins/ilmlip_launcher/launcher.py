"""The launcher, and how ilmlip runs a sweeper of Hydra's with it.

A sweeper (Optuna's, say) proposes points in batches. The launcher gets a batch, hands all its points
to ilmlip, which compiles them into one plan, and returns the objective of each. The sweeper's own
config comes from its package and from the command line, never from a spec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

Batch = Callable[[Sequence[Sequence[str]]], Sequence[float | None]]
"""Runs the points of a batch, each a list of overrides; None for a point without an objective."""


class IlmlipLauncher(Launcher):
    """Runs all jobs of a batch as one plan. The task function is a `Batch`."""

    def setup(self, *, hydra_context: HydraContext, task_function: Any, config: DictConfig) -> None:
        """Called by Hydra before the first batch."""
        self.config, self.batch = config, task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch; a job without an objective has failed."""
        found = []
        for overrides, value in zip(job_overrides, self.batch(job_overrides), strict=True):
            job = JobReturn(overrides=list(overrides))
            job.status = JobStatus.FAILED if value is None else JobStatus.COMPLETED
            job.return_value = (
                RuntimeError(f"no objective for {' '.join(overrides)}") if value is None else value
            )
            found.append(job)
        return found


ConfigStore.instance().store(
    group="hydra/launcher",
    name="ilmlip",
    node={"_target_": f"{__name__}.IlmlipLauncher"},
    provider="ilmlip_launcher",
)


def sweep(settings: Sequence[str], swept: Sequence[str], folder: Path, run: Batch) -> None:
    """Let a sweeper choose points until it ends.

    `settings`: Hydra's words (`hydra/sweeper=optuna`, `hydra.sweeper.n_trials=20` …); `swept`: the
    fields it chooses, such as `model.r_max=interval(4,7)`; `folder` gets what the sweeper writes.
    Raises HydraException or the sweeper's own errors for settings it does not know.
    """
    empty = Path(__file__).parent / "empty"
    with initialize_config_dir(str(empty), version_base="1.3", job_name="ilmlip"):
        config = compose("config", ["hydra/launcher=ilmlip", *settings], return_hydra_config=True)
        loader = GlobalHydra.instance().config_loader()
    with open_dict(config):
        config.hydra.sweep.dir = str(folder)
        config.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(config)
    sweeper = Plugins.instance().instantiate_sweeper(
        hydra_context=HydraContext(config_loader=loader, callbacks=Callbacks(config)),
        task_function=run,
        config=config,
    )
    sweeper.sweep(list(swept))
