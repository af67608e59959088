"""One large array as samples: which boxes it is cut into, how they are read, and how predictions are put together."""
