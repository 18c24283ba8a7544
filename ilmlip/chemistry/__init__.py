"""Ions and their force field, compositions, and boxes packed with ions."""
