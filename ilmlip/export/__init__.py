"""A study as native inputs that run without ilmlip: LAMMPS, nequip, plain scripts."""
