"""Phenotype tables of UK Biobank: which column is which field, its text as values, and the join to results by EID."""
