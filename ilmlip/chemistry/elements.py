"""Atoms: masses (u; IUPAC 2021 abridged standard atomic weights) and ground states."""

from typing import Final

MASSES: Final = {
    "H": 1.008,
    "Li": 6.94,
    "B": 10.81,
    "C": 12.011,
    "N": 14.007,
    "O": 15.999,
    "F": 18.998,
    "Na": 22.990,
    "P": 30.974,
    "S": 32.06,
    "Cl": 35.45,
}

MULTIPLICITIES: Final = {
    "H": 2,
    "Li": 2,
    "B": 2,
    "C": 3,
    "N": 4,
    "O": 3,
    "F": 2,
    "Na": 2,
    "P": 4,
    "S": 3,
    "Cl": 2,
}
"""2S + 1 of the free atoms' ground states: NIST Atomic Spectra Database, levels."""
