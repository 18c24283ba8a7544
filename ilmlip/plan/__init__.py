"""From a spec to a graph of tasks, each with its key: what would run, before anything runs."""
