"""From archives to a store: which series is which slab, encoding by partition, finalising."""
