"""All flags of PyDTNN, a module a topic: its table `FLAGS`, and a function that translates them."""
