"""Figures. Every function gives a matplotlib Figure or draws on Axes; none touches pyplot."""
