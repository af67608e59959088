"""Differential equations: what their data are drawn from, and solvers that judge what a model has learnt."""
