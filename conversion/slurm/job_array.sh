#!/usr/bin/env bash
# A SLURM cluster: an array of jobs, each of which converts its share of the partitions.
#
#   ./job_array.sh dixon/ /scratch/ukbb.zarr 100      # 100 jobs of 8 cores
#
# Run it on a login node; zips and store must lie where all nodes see them. The plan is written once, here,
# so that all jobs go by the same one. Called again after jobs have failed, it does only what is missing.
set -euo pipefail

ZIPS=${1:?usage: job_array.sh ZIPS STORE [JOBS]}
STORE=${2:?usage: job_array.sh ZIPS STORE [JOBS]}
JOBS=${3:-100}
CPUS=${CPUS:-8}

here=$(dirname "$(realpath "$0")")
bmx plan "$ZIPS" "$STORE" --slabs 2,4,5 --workers "$((JOBS * CPUS))" --max-memory 700MB --write

array=$(sbatch --parsable --array="0-$((JOBS - 1))" --cpus-per-task="$CPUS" "$here/share.sbatch" "$ZIPS" "$STORE")
sbatch --dependency="afterok:$array" --kill-on-invalid-dep=yes --job-name=bmx-finalise \
    --wrap="bmx convert $(printf '%q ' "$ZIPS" "$STORE") --finalise"
