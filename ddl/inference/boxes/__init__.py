"""Boxes in pictures of any size: found whole or by tiles, written as COCO JSON and drawn."""
