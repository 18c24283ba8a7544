"""Which options only compose with each other: a system whose salts one option names, and such."""

from pathlib import Path

LABELLED = Path(__file__).parent / "data" / "lipf6_gfn1.extxyz"
"""One pair in a box, labelled by GFN1-xTB (tblite)."""
FOMIM = ["system=fomim_c4f9co2", "compositions=fomim_c4f9co2", "sampling=npt", "dataset=opls"]
FOUR = ["system=four_ions", "compositions=four_ions"]
CRYSTAL = ["system=lpscl", "compositions=table_s9", "dft=gfn1_xtb"]
TOGETHER = {words[i]: words for words in (FOMIM, FOUR, CRYSTAL) for i in (0, 1)}
for option in ("figure_1", "table_s2_s3", "table_s6_s7", "table_s8"):
    TOGETHER[f"analysis={option}"] = ["compositions=table_s6"]
for option in ("table_s9_s10", "table_s11"):
    TOGETHER[f"analysis={option}"] = CRYSTAL
TOGETHER["scale=laptop_npt"] = [*FOMIM, "analysis=none"]
TOGETHER["scale=laptop_datasets"] = [*FOMIM, "ensemble=npt", "analysis=none"]
TOGETHER["scale=laptop_active"] = [
    "compositions=emim_pf6", "sampling=npt", "dataset=active", "analysis=none",
]  # fmt: skip
TOGETHER["scale=laptop_scans"] = [
    "compositions=emim_pf6", "sampling=npt", "dataset=opls_md_vs", "ensemble=nvt", "analysis=none",
]  # fmt: skip
TOGETHER["scale=paper_argyrodites"] = [
    *CRYSTAL, "analysis=none",
]  # fmt: skip
TOGETHER["compositions=emim_pf6"] = ["system=li_pf6_emim_pf6"]
TOGETHER["model=allegro_dft"] = ["dft=gfn1_xtb", "dft.e0=isolated"]
TOGETHER["dft=files"] = [f"dft.files.paths=[{LABELLED}]"]


def beside(chosen: str) -> list[str]:
    """What else an option GROUP=OPTION wants to be chosen."""
    return [word for word in TOGETHER.get(chosen, []) if word != chosen]
