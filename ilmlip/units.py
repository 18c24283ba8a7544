"""Conversion factors into the house units (eV, Å, fs, K, bar, g/cm³, elementary charges).

Values follow CODATA 2018; each is used once, at the door of an engine or of a data file.
"""

from typing import Final

KJ_PER_MOL: Final = 0.010364269656262174
"""eV in one kJ/mol."""
KCAL_PER_MOL: Final = 4.184 * KJ_PER_MOL
"""eV in one kcal/mol."""
BAR: Final = 6.241509074460763e-07
"""eV/Å³ in one bar."""
AMU_PER_A3: Final = 1.66053906660
"""g/cm³ in one atomic mass unit per Å³."""
CM3_PER_MOL: Final = 1.0 / 0.602214076
"""Å³ per formula unit in one cm³/mol."""
PS: Final = 1000.0
"""fs in one ps."""
ASE_TIME: Final = 10.180505710774743
"""fs in one Å √(u/eV), the unit of time of eV, Å and u."""
MEV: Final = 1e-3
"""eV in one meV."""
HARTREE: Final = 27.211386245988
"""eV in one hartree."""
RYDBERG: Final = HARTREE / 2
"""eV in one rydberg."""
BOHR: Final = 0.529177210903
"""Å in one bohr."""
HARTREE_PER_K: Final = 3.1668115634556e-06
"""Hartree in one kelvin (times Boltzmann's constant)."""
RYDBERG_TIME: Final = 0.0483776865301828
"""fs in one unit of time of Rydberg atomic units (two of Hartree's), as pw.x counts."""
KELVIN: Final = HARTREE * HARTREE_PER_K
"""eV in one kelvin (times Boltzmann's constant)."""
SIEMENS_PER_M: Final = 1 / 1.602176634e6
"""e²/(eV Å fs) in one S/m."""
