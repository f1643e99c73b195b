"""hsimul3r: casual captures of a person using furniture, turned into scenes that a physics engine accepts."""

__version__ = "0.1.0"
