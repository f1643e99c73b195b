"""An export of hsimul3r in mjlab 1.6: its scene, mjlab's G1 tracking task among the objects, training, ONNX, judgement.

hsimul3r copies this package into the folder `mjlab` of an export, beside scene.json, motion.npz and the objects' MJCF. It is
run by the Python of an environment with mjlab 1.6 (which pins mujoco 3.11) and needs nothing of hsimul3r:

    cd <run>/94_robot_export/mjlab
    python -m mjlab_kit.train --envs 4096 --iterations 30000      # policy.onnx, checkpoints, curve.csv in runs/
    python -m mjlab_kit.judge runs/policy.onnx                    # how long it holds, how far off it is, what it touches

From a checkout: PYTHONPATH=. python -m sim_envs.mjlab_kit.train --export <run>/94_robot_export.
"""
