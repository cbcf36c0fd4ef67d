"""The dictionary of bmx: every variable of store, masks, results and phenotypes, declared once.

Readers, writers, documentation and tests all look here; a dtype or a unit stands nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Place = Literal["store", "slab", "series", "masks", "results", "vertebrae", "qc", "phenotypes", "truth", "faults"]


@dataclass(frozen=True, slots=True)
class Variable:
    """What one variable is called and must look like."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    """NumPy name, or `string` for variable-length text."""
    units: str
    """`1` for a pure number, empty for text."""
    long_name: str
    place: Place
    flag_values: Mapping[str, int] = field(default_factory=dict)
    """Meanings of which exactly one holds."""
    flag_masks: Mapping[str, int] = field(default_factory=dict)
    """Meanings of which any number hold, one bit each."""

    @property
    def attrs(self) -> dict[str, Any]:
        """CF attributes: long_name, units, and the meanings of flags."""
        attrs: dict[str, Any] = {"long_name": self.long_name}
        if self.units:
            attrs["units"] = self.units
        for name, meanings in (("flag_values", self.flag_values), ("flag_masks", self.flag_masks)):
            if meanings:
                attrs |= {name: list(meanings.values()), "flag_meanings": " ".join(meanings)}
        return attrs


def _values(*names: str) -> dict[str, int]:
    return {name: value for value, name in enumerate(names)}


def _bits(*names: str) -> dict[str, int]:
    return {name: 1 << bit for bit, name in enumerate(names)}


SLAB_STATUS = _values("absent", "complete", "incomplete", "unreadable", "withdrawn")
SLAB_FLAGS = _bits(
    "repeated_series", "unexpected_shape", "unexpected_spacing", "missing_slices", "label_conflict",
    "manifest_mismatch", "manifest_missing", "unexpected_position", "wrong_origin", "physics_violated",
    "archive_unreadable",
)  # fmt: skip
SWAP = _bits("exchanged", "suspected")
MEASUREMENT_STATUS = _values("not_attempted", "measured", "empty", "failed")
RESULT_FLAGS = _bits(
    "single_voxels_removed", "parts_joined", "touches_slab_edge", "swap_corrected", "swap_suspected",
    "adjacent_slab_used", "repeated_series", "slab_absent", "slab_unreadable", "slab_incomplete",
    "nothing_left_after_erosion", "parts_apart", "low_signal", "outside_slab", "no_mask", "irregular_source",
)  # fmt: skip
QC_OUTCOME = _values("not_attempted", "ok", "small", "empty", "outlier", "failed", "doubtful")
QC_FLAGS = _bits(
    "small_volume", "centroid_outlier", "empty_mask", "touches_slab_edge", "swap_corrected", "swap_suspected",
    "adjacent_slab_used", "irregular_source", "physics_violated", "low_confidence", "implausible_bmff",
    "sides_disagree",
)  # fmt: skip
QC_CAUSE = _values(
    "none", "data_structure", "imaging_artefact", "partially_outside", "fully_outside", "skeletal_abnormality",
    "no_obvious_defect", "withdrawn",
)  # fmt: skip

_PERSON = ("participant",)
_IMAGE = ("participant", "z", "y", "x")
_SITE = ("participant", "region")
_GROUP = ("qc_group", "region")


def _image(name: str, meaning: str) -> Variable:
    return Variable(name, _IMAGE, "uint16", "1", f"{meaning}, arbitrary scanner units", "slab")


def _percent(name: str, meaning: str) -> Variable:
    return Variable(name, _SITE, "float32", "%", meaning, "results")


def _vertebra(name: str, dtype: str, units: str, meaning: str) -> Variable:
    return Variable(name, ("participant", "vertebra"), dtype, units, meaning, "vertebrae")


def _phenotype(name: str, dtype: str, units: str, meaning: str) -> Variable:
    return Variable(name, _PERSON, dtype, units, meaning, "phenotypes")


_DECLARED: tuple[Variable, ...] = (
    # store, root
    Variable("participant", _PERSON, "int64", "1", "UK Biobank EID", "store"),
    Variable("source_digest", _PERSON, "string", "", "SHA-256 digest of the source archive", "store"),
    # store, one slab
    _image("fat", "fat image"),
    _image("water", "water image"),
    _image("in_phase", "in-phase image"),
    _image("opposed_phase", "opposed-phase image"),
    Variable(
        "affine",
        ("participant", "world_axis", "voxel_axis"),
        "float64",
        "mm",
        "voxel index (x, y, z, 1) to RAS+ position; NaN if the slab is absent",
        "slab",
    ),
    Variable("native_slices", _PERSON, "int16", "1", "slices acquired", "slab"),
    Variable(
        "slab_status", _PERSON, "uint8", "1", "what the store holds of this slab", "slab", flag_values=SLAB_STATUS
    ),
    Variable("slab_flags", _PERSON, "uint16", "1", "irregularities of this slab", "slab", flag_masks=SLAB_FLAGS),
    Variable("slab_reason", _PERSON, "string", "", "why the slab is not complete; empty if it is", "slab"),
    Variable(
        "physics_residual",
        ("participant", "relation"),
        "float32",
        "1",
        "median |in - (W+F)| and |opposed - |W-F|| over the body, relative to in; NaN unless all four were read",
        "slab",
    ),
    # store, one row per DICOM series, and one per reason for files or archives that hold no image
    Variable("series_participant", ("series",), "int64", "1", "EID of the series", "series"),
    Variable("series_uid", ("series",), "string", "", "SeriesInstanceUID; empty for what holds no image", "series"),
    Variable("series_number", ("series",), "int32", "1", "SeriesNumber; -1 if missing", "series"),
    Variable("series_description", ("series",), "string", "", "SeriesDescription", "series"),
    Variable("series_slab", ("series",), "int8", "1", "slab that the series was identified as; 0 if none", "series"),
    Variable("series_contrast", ("series",), "string", "", "contrast that it was identified as", "series"),
    Variable("series_slices", ("series",), "int16", "1", "slices found", "series"),
    Variable("series_used", ("series",), "bool", "1", "whether the store holds it", "series"),
    Variable("series_reason", ("series",), "string", "", "why it was used or not", "series"),
    # masks, one slab
    Variable("mask", ("participant", "region", "z", "y", "x"), "uint8", "1", "1 inside the region", "masks"),
    Variable("swap", _IMAGE, "uint8", "1", "where fat and water are exchanged, or may be", "masks", flag_masks=SWAP),
    # results
    Variable("region", ("region",), "string", "", "bone marrow region", "results"),
    _percent("bmff", "mean dual-echo bone marrow fat fraction inside the eroded mask"),
    _percent("bmff_median", "median dual-echo bone marrow fat fraction inside the eroded mask"),
    _percent("bmff_sd", "standard deviation (ddof 1) of voxel fat fraction inside the eroded mask"),
    _percent("bmff_iqr", "interquartile range of voxel fat fraction inside the eroded mask"),
    _percent("bmff_ratio", "ratio of sums 100 ΣF / Σ(F+W) inside the eroded mask"),
    _percent("bmff_se", "standard error of bmff: noise, border of the mask, slab ends, and what images do not show"),
    Variable("bmff_n", _SITE, "int32", "1", "voxels of the eroded mask that entered bmff", "results"),
    Variable(
        "voxels", _SITE, "int32", "1", "voxels of the mask before erosion (the paper's volume in pixels)", "results"
    ),
    Variable("volume", _SITE, "float32", "mL", "volume of the mask before erosion", "results"),
    Variable("centroid", (*_SITE, "world_axis"), "float32", "mm", "centre of mass of the mask, RAS+", "results"),
    Variable(
        "confidence", _SITE, "float32", "1", "how sure the model is of the mask, 0 to 1; NaN if unknown", "results"
    ),
    Variable("measured_slab", _SITE, "uint8", "1", "slab whose voxels were measured; 0 if none", "results"),
    Variable("slab_bottom", _SITE, "float32", "mm", "lower end of the region's slab, world z", "results"),
    Variable("slab_top", _SITE, "float32", "mm", "upper end of the region's slab, world z", "results"),
    Variable("slab_residual", _SITE, "float32", "1", "larger physics residual of the region's slab", "results"),
    Variable(
        "status", _SITE, "uint8", "1", "what became of the measurement", "results", flag_values=MEASUREMENT_STATUS
    ),
    Variable("flags", _SITE, "uint16", "1", "what was noticed at this measurement", "results", flag_masks=RESULT_FLAGS),
    Variable("reason", _SITE, "string", "", "why there is no value; empty if there is one", "results"),
    Variable("slab", ("region",), "uint8", "1", "slab of the region in a clean exam", "results"),
    Variable("side", ("region",), "string", "", "body side of the region", "results"),
    Variable("erosion", ("region",), "uint8", "1", "in-plane erosion before measuring, voxels", "results"),
    Variable("model", ("region",), "string", "", "digest of the model that drew the masks", "results"),
    # results, one row for each vertebra, from the highest in the mask downwards
    Variable("vertebra", ("vertebra",), "int64", "1", "place in the spine mask, 1 is the highest", "vertebrae"),
    _vertebra("vertebra_bmff", "float32", "%", "mean dual-echo bone marrow fat fraction of the vertebra"),
    _vertebra("vertebra_bmff_median", "float32", "%", "median of its voxel fat fraction"),
    _vertebra("vertebra_bmff_sd", "float32", "%", "standard deviation (ddof 1) of its voxel fat fraction"),
    _vertebra("vertebra_bmff_iqr", "float32", "%", "interquartile range of its voxel fat fraction"),
    _vertebra("vertebra_bmff_ratio", "float32", "%", "ratio of sums 100 ΣF / Σ(F+W)"),
    _vertebra("vertebra_bmff_se", "float32", "%", "standard error of vertebra_bmff"),
    _vertebra("vertebra_bmff_n", "int32", "1", "voxels that entered vertebra_bmff"),
    _vertebra("vertebra_voxels", "int32", "1", "voxels of the vertebra before erosion; 0 if there is none"),
    _vertebra("vertebra_volume", "float32", "mL", "volume of the vertebra before erosion"),
    _vertebra("vertebra_cut", "bool", "1", "whether it reaches the end of the slab"),
    _vertebra("vertebra_level", "string", "", "anatomical level; empty where no anchor is visible, or above a gap"),
    Variable(
        "vertebra_centroid",
        ("participant", "vertebra", "world_axis"),
        "float32",
        "mm",
        "centre of mass of the vertebra, RAS+",
        "vertebrae",
    ),
    # what qc.flag adds
    Variable("qc_outcome", _SITE, "uint8", "1", "whether the value can be used", "qc", flag_values=QC_OUTCOME),
    Variable("qc_flags", _SITE, "uint16", "1", "what quality control noticed", "qc", flag_masks=QC_FLAGS),
    Variable("qc_cause", _SITE, "uint8", "1", "what was wrong, columns of Table 3", "qc", flag_values=QC_CAUSE),
    Variable("qc_reason", _SITE, "string", "", "why it cannot be used, in words; empty if it can", "qc"),
    Variable("qc_group", ("qc_group",), "string", "", "whom the reference is made of: all, or a sex", "qc"),
    Variable("qc_reference_n", _GROUP, "int32", "1", "non-empty masks that the reference is made of", "qc"),
    Variable("qc_reference_volume_mean", _GROUP, "float64", "mL", "mean volume of the reference", "qc"),
    Variable("qc_reference_volume_sd", _GROUP, "float64", "mL", "SD (ddof 1) of its volumes", "qc"),
    Variable("qc_reference_centroid_mean", (*_GROUP, "world_axis"), "float64", "mm", "mean centre of mass, RAS+", "qc"),
    Variable(
        "qc_reference_centroid_sd", (*_GROUP, "world_axis"), "float64", "mm", "SD (ddof 1) of its centres of mass", "qc"
    ),
    # what is known of simulated participants
    Variable("labels", _IMAGE, "uint8", "1", "bone that a voxel belongs to", "truth"),
    Variable("swapped", _IMAGE, "uint8", "1", "1 where fat and water are exchanged", "truth"),
    Variable(
        "fat_fraction", _IMAGE, "uint16", "%", "fat fraction without noise, packed; missing without signal", "truth"
    ),
    Variable("recipe", ("recipe",), "string", "", "how a fat fraction is computed", "truth"),
    Variable(
        "bmff_recipe",
        ("participant", "recipe", "region"),
        "float32",
        "%",
        "mean fat fraction without noise inside the eroded mask, by recipe",
        "truth",
    ),
    Variable("coverage", _SITE, "float32", "1", "share of the region that lies in its own slab", "truth"),
    Variable("cause", _SITE, "string", "", "why the region can be expected to fail; empty if it can't", "truth"),
    Variable("fault_participant", ("fault",), "int64", "1", "EID of who has the fault", "faults"),
    Variable("fault_name", ("fault",), "string", "", "name of the fault", "faults"),
    Variable("fault_slab", ("fault",), "uint8", "1", "slab that it concerns; 0 for the whole exam", "faults"),
    Variable("fault_detail", ("fault",), "string", "", "what was drawn, as key=value", "faults"),
    Variable("fault_cause", ("fault",), "string", "", "column of the paper's Table 3; empty if none", "faults"),
    # phenotypes (UK Biobank fields: bmx/phenotypes/fields.toml)
    _phenotype("sex", "string", "", "sex, Female or Male (field 31)"),
    _phenotype("age", "float64", "year", "age at the imaging visit (field 21003)"),
    _phenotype("year_of_birth", "float64", "year", "calendar year of birth (field 34)"),
    _phenotype("height", "float64", "cm", "standing height (field 50)"),
    _phenotype("height_imaging", "float64", "cm", "height measured before imaging (field 12144)"),
    _phenotype("weight_imaging", "float64", "kg", "weight measured before imaging (field 12143)"),
    _phenotype("bmi", "float64", "kg m-2", "body mass index (field 21001)"),
    _phenotype("imaging_date", "datetime64[s]", "", "day of the imaging visit (field 53)"),
    _phenotype("assessment_centre", "float64", "1", "assessment centre, coding 10 (field 54)"),
    _phenotype("diabetes_doctor", "float64", "1", "diabetes diagnosed by a doctor, 1 yes (field 2443)"),
    _phenotype("bmd_spine", "float64", "g cm-2", "DXA bone mineral density, L1-L4 (field 23204)"),
    _phenotype("bmd_femoral_neck", "float64", "g cm-2", "DXA bone mineral density, left femoral neck (field 23299)"),
    _phenotype("bmd_total_hip", "float64", "g cm-2", "DXA bone mineral density, left total femur (field 23291)"),
    _phenotype("bmd_femoral_shaft", "float64", "g cm-2", "DXA bone mineral density, left femoral shaft (field 23290)"),
    _phenotype("bmd_femoral_troch", "float64", "g cm-2", "DXA bone mineral density, left trochanter (field 23295)"),
    _phenotype("bmd_femoral_neck_right", "float64", "g cm-2", "DXA bone mineral density, right neck (field 23208)"),
    _phenotype("bmd_total_hip_right", "float64", "g cm-2", "DXA bone mineral density, right total femur (field 23212)"),
    _phenotype("bmd_femoral_shaft_right", "float64", "g cm-2", "DXA bone mineral density, right shaft (field 23210)"),
    _phenotype("tscore_spine", "float64", "1", "DXA T-score, L1-L4 (field 23205)"),
    _phenotype("tscore_femoral_neck", "float64", "1", "DXA T-score, left femoral neck (field 23300)"),
    _phenotype("tscore_total_hip", "float64", "1", "DXA T-score, left total femur (field 23293)"),
    _phenotype("tscore_femoral_neck_right", "float64", "1", "DXA T-score, right femoral neck (field 23209)"),
    _phenotype("tscore_total_hip_right", "float64", "1", "DXA T-score, right total femur (field 23213)"),
    _phenotype("android_fat", "float64", "%", "DXA android tissue fat (field 23247)"),
    _phenotype("gynoid_fat", "float64", "%", "DXA gynoid tissue fat (field 23264)"),
    _phenotype("legs_fat", "float64", "%", "DXA legs tissue fat (field 23276)"),
    _phenotype("trunk_fat", "float64", "%", "DXA trunk tissue fat (field 23286)"),
    _phenotype("total_fat", "float64", "%", "DXA total tissue fat (field 23281)"),
    _phenotype("vat_mass", "float64", "kg", "DXA visceral adipose tissue mass (field 23288, given there in g)"),
    _phenotype("dxa_completed", "float64", "1", "DXA measurement completed, 1 yes (field 12254)"),
    _phenotype("abdominal_mri_completed", "float64", "1", "abdominal MRI completed, 1 yes (field 12224)"),
    _phenotype("handedness", "string", "", "handedness, asked at the first visit (field 1707)"),
    _phenotype("ethnic_background", "string", "", "ethnic background, asked at the first visit (field 21000)"),
    _phenotype("icd10", "string", "", "ICD-10 codes of hospital diagnoses, joined by | (field 41270)"),
    _phenotype("icd10_date", "string", "", "days of the first of these, in the same order (field 41280)"),
    _phenotype("icd9", "string", "", "ICD-9 codes of hospital diagnoses, joined by | (field 41271)"),
    _phenotype("self_reported_illness", "string", "", "codes of illnesses told, joined by | (field 20002)"),
)

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _DECLARED}
assert len(VARIABLES) == len(_DECLARED), "a variable is declared twice"


def variables_of(*places: Place) -> tuple[Variable, ...]:
    """All variables declared for these places, in their written order."""
    return tuple(variable for variable in _DECLARED if variable.place in places)


def flag_bits(names: Iterable[str], table: Mapping[str, int]) -> int:
    """Join flag names to one number.

    Examples
    --------
    >>> flag_bits(["repeated_series", "missing_slices"], SLAB_FLAGS)
    9
    """
    bits = 0
    for name in names:
        bits |= table[name]
    return bits


def flag_names(bits: int, table: Mapping[str, int]) -> list[str]:
    """Split a number into its flag names.

    Examples
    --------
    >>> flag_names(9, SLAB_FLAGS)
    ['repeated_series', 'missing_slices']
    """
    return [name for name, mask in table.items() if bits & mask]
