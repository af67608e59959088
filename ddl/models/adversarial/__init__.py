"""Generators and discriminators by name: what a GAN is made of."""
