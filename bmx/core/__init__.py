"""Kernels: NumPy and SciPy arrays in, arrays out."""
