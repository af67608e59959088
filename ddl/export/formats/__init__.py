"""The formats that models are exported to: one file a format, and one table of them."""
