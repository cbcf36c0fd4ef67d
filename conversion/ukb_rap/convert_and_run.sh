#!/usr/bin/env bash
# UK Biobank Research Analysis Platform: the project's bulk files are mounted read-only under
# /mnt/project, sorted into folders by the first two digits of the EID; the path has spaces.
# Stores are written to the job's own disk and uploaded, packed, at the end.
set -euo pipefail

ZIPS="/mnt/project/Bulk/Whole Body MRI/Dixon"
MODELS="${1:?usage: convert_and_run.sh MODELS_FOLDER}"

bmx convert "$ZIPS" ukbb.zarr --slabs 2,4,5 --instance 2
bmx run ukbb.zarr results.zarr --models "$MODELS"

tar cf results.tar results.zarr results.masks.zarr
dx upload results.tar
