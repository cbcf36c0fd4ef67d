#!/usr/bin/env bash
# UK Biobank Research Analysis Platform, inside a job: convert, measure, upload.
# Bulk files are mounted read-only, in folders by the first two digits of the EID; the path has spaces.
# Stores are written to the job's own disk, outside the folder whose files an app uploads one by one, and uploaded packed.
set -euo pipefail

MODELS=$(realpath "${1:?usage: convert_and_run.sh MODELS_FOLDER}")
ZIPS=${ZIPS:-"/mnt/project/Bulk/Whole Body MRI/Dixon"}
WORK=${WORK:-/tmp/bmx}
mkdir -p "$WORK" && cd "$WORK"

bmx convert "$ZIPS" ukbb.zarr --slabs 2,4,5 --instance 2 --plan
bmx convert "$ZIPS" ukbb.zarr --slabs 2,4,5 --instance 2
bmx run ukbb.zarr results.zarr --models "$MODELS"

# With its work folder a store can be gone on with when new participants are released.
tar cf ukbb.tar ukbb.zarr ukbb.zarr.work
tar cf results.tar results.zarr results.zarr.work results.masks.zarr
dx upload ukbb.tar results.tar --path "${DX_FOLDER:-/bmx/}" --parents
