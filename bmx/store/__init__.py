"""The Zarr stores of bmx: how they are laid out (FORMAT.md), created and opened."""
