"""The fields of a plan that trains a GAN, what they imply and what they refuse."""
