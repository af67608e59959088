"""`--probe`: what happens inside the layers of a model, epoch by epoch. It changes no bit of what is trained."""
