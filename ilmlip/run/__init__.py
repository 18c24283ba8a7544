"""One study from spec to outputs: here, or as jobs of Slurm's."""

from ilmlip.run.outputs import Ended
from ilmlip.run.study import run_study

__all__ = ["Ended", "run_study"]
