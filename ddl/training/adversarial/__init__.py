"""Adversarial training: a generator against a discriminator, as one model of named parts."""
