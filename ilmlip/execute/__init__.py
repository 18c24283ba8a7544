"""Runs a plan: packs ready tasks into submitit jobs within the slots that there are."""
