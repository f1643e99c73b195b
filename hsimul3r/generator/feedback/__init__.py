"""Feedback of the simulator on generated objects: which samples stand, bear a load and serve a person (Sec. 3.4)."""
