"""Scripts that were submitted by hand: they report themselves into a store, without an agent beside them."""
