"""Bone marrow fat fraction (BMFF) from UK Biobank neck-to-knee Dixon MRI."""
