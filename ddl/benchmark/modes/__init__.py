"""One task under the same straggler in every mode of parallel training."""
