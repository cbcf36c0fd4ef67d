"""Partitions: ranges of participants that own whole shards, and the one way of working through them.

`convert` and `run` are both "for every partition without a done-marker, submit one task to the Dask
cluster". What they share stands here, below the verbs, and knows nothing of images, models or Zarr:
`plan` says which participants make which partition, `work` keeps plan, records and markers on disk,
`cluster` finds or makes a Dask client, `engine` does what is missing.
"""
