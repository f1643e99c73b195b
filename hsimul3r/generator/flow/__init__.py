"""The embedded generator: flow matching over a set of furniture parts, conditioned on crops of photos (DESIGN.md)."""
