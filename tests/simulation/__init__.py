"""A deterministic simulation of the sync core: virtual time, a seeded world, crashes at every await (docs/simulation.md)."""
