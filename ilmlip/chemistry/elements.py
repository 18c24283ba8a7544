"""Atoms: masses and ground states of all elements.

Masses in u: IUPAC 2021 abridged standard atomic weights where tests and shipped ions use the element,
else ASE's table (IUPAC 2016; of elements without a stable isotope a mass number), five digits.
Multiplicities 2S + 1 of the free atoms' ground states: NIST Atomic Spectra Database, levels, as
tabulated by ASE (`ase.data.ground_state_magnetic_moments`); 0 where ASE has none.
"""

from typing import Final

_TABLE = """
H 1.008 2; He 4.0026 1; Li 6.94 2; Be 9.0122 1; B 10.81 2; C 12.011 3; N 14.007 4; O 15.999 3; F
18.998 2; Ne 20.18 1; Na 22.99 2; Mg 24.305 1; Al 26.982 2; Si 28.085 3; P 30.974 4; S 32.06 3;
Cl 35.45 2; Ar 39.948 1; K 39.098 2; Ca 40.078 1; Sc 44.956 2; Ti 47.867 3; V 50.941 4; Cr
51.996 7; Mn 54.938 6; Fe 55.845 5; Co 58.933 4; Ni 58.693 3; Cu 63.546 2; Zn 65.38 1; Ga 69.723
2; Ge 72.63 3; As 74.922 4; Se 78.971 3; Br 79.904 2; Kr 83.798 1; Rb 85.468 2; Sr 87.62 1; Y
88.906 2; Zr 91.224 3; Nb 92.906 6; Mo 95.95 7; Tc 97.907 6; Ru 101.07 5; Rh 102.91 4; Pd 106.42
1; Ag 107.87 2; Cd 112.41 1; In 114.82 2; Sn 118.71 3; Sb 121.76 4; Te 127.6 3; I 126.9 2; Xe
131.29 1; Cs 132.91 2; Ba 137.33 1; La 138.91 2; Ce 140.12 2; Pr 140.91 4; Nd 144.24 5; Pm
144.91 6; Sm 150.36 7; Eu 151.96 8; Gd 157.25 9; Tb 158.93 6; Dy 162.5 5; Ho 164.93 4; Er 167.26
3; Tm 168.93 2; Yb 173.05 1; Lu 174.97 2; Hf 178.49 3; Ta 180.95 4; W 183.84 5; Re 186.21 6; Os
190.23 5; Ir 192.22 4; Pt 195.08 3; Au 196.97 2; Hg 200.59 1; Tl 204.38 2; Pb 207.2 3; Bi 208.98
4; Po 208.98 3; At 209.99 2; Rn 222.02 1; Fr 223.02 2; Ra 226.03 1; Ac 227.03 2; Th 232.04 3; Pa
231.04 4; U 238.03 5; Np 237.05 6; Pu 244.06 7; Am 243.06 8; Cm 247.07 9; Bk 247.07 6; Cf 251.08
5; Es 252.08 5; Fm 257.1 3; Md 258.1 2; No 259.1 1; Lr 262.11 0; Rf 267.12 0; Db 268.13 0; Sg
271.13 0; Bh 270.13 0; Hs 269.13 0; Mt 278.16 0; Ds 281.17 0; Rg 281.17 0; Cn 285.18 0; Nh
286.18 0; Fl 289.19 0; Mc 289.19 0; Lv 293.2 0; Ts 293.21 0; Og 294.21 0
"""
_ROWS = [row.split() for row in _TABLE.split(";")]

MASSES: Final = {symbol: float(mass) for symbol, mass, _ in _ROWS}

MULTIPLICITIES: Final = {symbol: int(number) for symbol, _, number in _ROWS if int(number)}
"""2S + 1 of the free atoms' ground states; elements without one are not in it."""

NUMBERS: Final = {symbol: number for number, symbol in enumerate(MASSES, start=1)}
"""Atomic numbers."""
