"""Pure functions: arrays in, values with their uncertainty out."""
