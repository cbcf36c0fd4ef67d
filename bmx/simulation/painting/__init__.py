"""Painting the tissues of a body onto the grid of a slab."""
