"""Reinforcement learning over any backend: the vectorised environment, PPO by rl-games, its warm start and the policy file."""
