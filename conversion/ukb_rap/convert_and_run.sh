#!/usr/bin/env bash
# UK Biobank Research Analysis Platform, inside a job: convert, measure, upload.
# Bulk files are mounted read-only, in folders by the first two digits of the EID; the path has spaces.
# Stores are written to the job's own disk, outside the folder whose files an app uploads one by one, and uploaded packed.
set -euo pipefail

MODELS=$(realpath "${1:?usage: convert_and_run.sh MODELS_FOLDER}")
ZIPS=${ZIPS:-"/mnt/project/Bulk/Whole Body MRI/Dixon"}
WORK=${WORK:-/tmp/bmx}
FOLDER=${DX_FOLDER:-/bmx/}
mkdir -p "$WORK" && cd "$WORK"

# Packed on its way: a second copy of a store may not fit on the disk that it is on.
upload() {
    # Of a stream dx doesn't know the size, and sends it in 10,000 parts at most: 256 MiB each is room for 2.6 TB.
    tar c "${@:2}" | dx upload - --path "${FOLDER%/}/$1" --parents --buffer-size $((256 * 1024 * 1024))
}

bmx convert "$ZIPS" ukbb.zarr --slabs 2,4,5 --instance 2 --plan
bmx convert "$ZIPS" ukbb.zarr --slabs 2,4,5 --instance 2
bmx run ukbb.zarr results.zarr --models "$MODELS"

# Results first: they are what the job was for, and must not be lost with it if the large store can't be sent.
upload results.tar results.zarr results.zarr.work results.masks.zarr
# With its work folder a store can be gone on with when new participants are released.
upload ukbb.tar ukbb.zarr ukbb.zarr.work
