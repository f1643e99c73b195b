"""Direct simulation reward optimisation (Sec. 3.4): a flow model learns from what the simulator said of its own samples."""
