"""What ilmlip costs beside what it runs: `python -m benchmarks [overhead|lammps|train] [--quick]`."""
