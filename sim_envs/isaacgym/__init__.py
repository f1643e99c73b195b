"""Isaac Gym behind the contract: it needs Python 3.8, so it runs in a process of its own.

`client.py` starts `worker.py` in an interpreter that the user names, hands it the scene as URDFs (`urdf.py`) and shares arrays
with it (`wire.py`); `hinges.py` turns ball joints into the three hinges that a URDF can hold. The worker drives an engine
behind a small interface: `isaacgym_engine.py`, or `mujoco_engine.py`, which serves the same URDFs over the same wire.

What stands unproved: Isaac Gym is not to be had where this project is tested, so the calls in `isaacgym_engine.py` have never
been run. Everything else, from the client to the URDFs, is held to the conformance suite with the MuJoCo worker.
"""
