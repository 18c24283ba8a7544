"""One shell script a step: runs under plain bash, and as a job by sbatch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ilmlip.export.layout import DATASET, DERIVE, EQUILIBRATE, EVALUATE, LABEL, SAMPLE, TRAIN

ALL = "run_all.sh"
SAFETY = {True: 3, False: 10}
"""How many times as long as it is said to take a step may take: said by measured times, or not."""


@dataclass(frozen=True)
class Job:
    """What a script says about itself."""

    study: str
    name: str
    """The step; the script is called so, with .sh."""
    cores: int
    seconds: float
    """How long the step is said to take."""
    measured: bool
    """Whether that comes from times that were measured."""


HEAD = """\
#!/bin/bash
#SBATCH --job-name={job.study}-{job.name}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={job.cores}
#SBATCH --time={limit}
#
{about}
#
{usage}
set -euo pipefail
here=$(dirname "$0")
[ -d "$here/tools" ] || here=$SLURM_SUBMIT_DIR  # sbatch runs a copy of this script
cd "$here"
export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-{job.cores}}}"
export PYTHONUTF8=1  # whatever the locale is
python=${{PYTHON:-python}}  # another one: PYTHON=/path/to/python bash {job.name}.sh
"""

LOOP = """\
trap 'echo "stopped in ${{folder:-$PWD}}; its log says why" >&2' ERR
[ $# -gt 0 ] || set -- {step}/*/
for folder in "$@"; do
  folder=${{folder%/}}
  if [ -e "$folder/done" ]; then continue; fi
  echo "$folder"
{body}
  touch "$folder/done"
done
"""

LMP = 'lmp=${LMP:-lmp}  # another one: LMP="mpirun -n 4 lmp"\n'
PW = 'pw=${PW:-pw.x}  # another one: PW="mpirun -n 4 pw.x"\n'
RUN = '(cd "$folder" && $lmp -in in.lammps -log none > log.lammps)'

ABOUT = {
    EQUILIBRATE: "LAMMPS: from each packed box (system.data) to the liquid (equilibrated.data).",
    SAMPLE: "LAMMPS: constant-volume dynamics of each liquid; frames.dump holds its frames.",
    LABEL: "Energy, forces and stress of the frames wanted of each trajectory: labelled.extxyz.",
    DERIVE: "Labels of scans and rattles of what 3-label has made: labelled.extxyz.",
    DATASET: "The labelled frames become train.extxyz and val.extxyz, or test.extxyz.",
    TRAIN: "nequip-train: one model a folder (model.ckpt); linear models are solved (linear.json).",
    EVALUATE: "Every model on every test set: 6-evaluate/errors.csv.",
}

ATOMS = """\
  if [ -e "$folder/atom.json" ]; then
    if [ -e "$folder/atom.in" ]; then
      "$python" tools/atom.py check "$folder"
      (cd "$folder" && $pw -in atom.in > atom.out)
      rm -rf "$folder/scratch"
      "$python" tools/atom.py read "$folder"
    elif [ ! -e "$folder/energy.json" ]; then
      echo "compute the atom as $folder/atom.json says, then write energy.json" >&2
      missing=1
      continue
    fi
    touch "$folder/done"
    continue
  fi
"""
LABELS = f"""\
  "$python" tools/frames.py "$folder"
  if [ -e "$folder/in.lammps" ]; then
    {RUN}
    "$python" tools/labels.py "$folder"
  elif [ -e "$folder/in.pw" ]; then
    "$python" tools/pw_inputs.py "$folder"
    for input in "$folder"/frame-*.in; do
      frame=$(basename "$input" .in)
      if grep -qs "JOB DONE" "$folder/$frame.out"; then continue; fi
      rm -rf "$folder/scratch"
      if [ -e "$folder/steps.json" ]; then
        # 3: a relaxation has made all its steps
        (cd "$folder" && $pw -in "$frame.in" > "$frame.out") || [ $? -eq 3 ]
      else
        (cd "$folder" && $pw -in "$frame.in" > "$frame.out")
      fi
    done
    rm -rf "$folder/scratch"
    if [ -e "$folder/steps.json" ]; then
      "$python" tools/pw_steps.py "$folder"
    else
      "$python" tools/pw_labels.py "$folder"
    fi
  elif [ ! -e "$folder/labelled.extxyz" ]; then
    if [ -e "$folder/steps.json" ]; then
      echo "run what engine.json says from each frame of $folder/frames.extxyz, then write the steps" \
        "that steps.json names, frame by frame, into labelled.extxyz" >&2
    else
      echo "label $folder/frames.extxyz as engine.json says, then write labelled.extxyz" >&2
    fi
    missing=1
    continue
  fi"""

BODY = {
    EQUILIBRATE: f"  {RUN}",
    SAMPLE: f'  cp "$(cat "$folder/start.txt")" "$folder/system.data"\n  {RUN}',
    LABEL: ATOMS + LABELS,
    DERIVE: LABELS,
    DATASET: '  "$python" tools/gather.py "$folder"',
    TRAIN: """\
  if [ -e "$folder/config.yaml" ]; then
    rm -rf "$folder"/model*.ckpt "$folder/curve"  # of a training that was cut off
    "$python" tools/shifts.py "$folder"
    (cd "$folder" && nequip-train -cn config hydra.run.dir=nequip > nequip.log 2>&1)
    "$python" tools/refit.py "$folder"
  else
    "$python" tools/linear.py "$folder"
  fi""",
}


def script(job: Job) -> str:
    """The script of a step."""
    step = job.name
    whole = step == EVALUATE
    text = _head(job, ABOUT[step], "" if whole else f"{step}/*/")
    if whole:
        return f'{text}"$python" tools/evaluate.py {EVALUATE}\n'
    text += LMP if RUN in BODY[step] else ""
    labels = step in (LABEL, DERIVE)
    text += PW if labels else ""
    loop = LOOP.format(step=step, body=BODY[step])
    return f'{text}missing=0\n{loop}exit "$missing"\n' if labels else text + loop


def run_all(job: Job, steps: list[str]) -> str:
    """The script that runs the others one after the other."""
    text = _head(job, "The whole study, step by step; what is done already is skipped.", "")
    return text + "".join(f"bash {step}.sh\n" for step in steps)


def _head(job: Job, about: str, folders: str) -> str:
    usage = f"# bash {job.name}.sh   or   sbatch {job.name}.sh, in the folder of this script"
    if folders:
        usage += (
            f"\n# Folders may be named (default: all of {folders}); a file `done` in one skips it."
        )
    if not job.measured:
        usage += "\n# The time limit is a guess: nothing like it has been timed here."
    limit = time_limit(job)
    return HEAD.format(job=job, about=f"# {about}", usage=usage, limit=limit)


def time_limit(job: Job) -> str:
    """Slurm's time limit for a job, HH:MM:SS in whole ten minutes."""
    minutes = 10 * max(1, math.ceil(SAFETY[job.measured] * job.seconds / 600))
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
