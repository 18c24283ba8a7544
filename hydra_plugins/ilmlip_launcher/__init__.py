"""ilmlip's launcher for Hydra: all points of a batch become one plan."""
