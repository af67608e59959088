"""Networks that give a class for each picture, one family a module."""
