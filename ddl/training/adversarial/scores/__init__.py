"""How good and how various a generator's samples are: distances between features, diversity, and the encoder."""
