"""A study as one file: frozen, verified against a store, compared with another."""
