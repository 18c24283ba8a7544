"""The outside programs, one module each: where it is, write its input, execute it, read its output."""
