"""Pictures of any size: by tiles, resized, mirrored."""
