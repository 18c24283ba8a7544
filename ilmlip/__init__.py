"""A declarative experiment-spec compiler for machine-learned potentials of ionic liquids."""

__version__ = "0.1.0"
