"""Front doors: a document or another program's command in, a `Plan` out. No TensorFlow here."""
