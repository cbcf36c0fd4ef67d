"""Segmentation and measurement of a whole store, partition by partition, on any Dask cluster."""
