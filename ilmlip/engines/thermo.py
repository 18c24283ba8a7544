"""The table that every run of dynamics leaves, whichever engine it was."""

THERMO = "thermo.csv"
COLUMNS = (
    "step",
    "time_fs",
    "temperature_K",
    "pressure_bar",
    "density_g_cm3",
    "potential_eV",
    "kinetic_eV",
    "total_eV",
)
"""What it has from every engine; one may add its own behind."""
