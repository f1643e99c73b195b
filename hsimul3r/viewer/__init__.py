"""A run in the browser: photos, points, people, objects, contacts, and the simulation over time."""

from hsimul3r.viewer.serve import view

__all__ = ["view"]
