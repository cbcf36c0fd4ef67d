from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.measurement import RECIPES, measure
from bmx.quality import flag
from bmx.regions import REGIONS
from bmx.schema import validate
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SLAB_FLAGS, SLAB_STATUS, flag_names, variables_of

Trees = tuple[xr.DataTree, xr.DataTree]
Toy = Callable[..., Trees]


def change(tree: xr.DataTree, slab: str, **values: object) -> xr.DataTree:
    """A copy of a tree with other values of some variables: `name=(participant, value)` or `name=function`."""
    dataset = tree[slab].to_dataset(inherit=False)
    changed = {}
    for name, new in values.items():
        data = dataset[name].compute().copy(deep=True)
        if callable(new):
            data = new(data)
        else:
            index, value = new  # type: ignore[misc]  # a pair, where it is no function
            data[index] = value
        changed[name] = data
    copy = tree.copy()
    copy[slab] = xr.DataTree(dataset.assign(changed))
    return copy


def names_of(flags: xr.DataArray) -> list[str]:
    return flag_names(int(flags), RESULT_FLAGS)


def status_of(results: xr.Dataset, participant: int, region: str) -> tuple[str, str]:
    cell = results.isel(participant=participant).sel(region=region)
    names = {value: name for name, value in MEASUREMENT_STATUS.items()}
    return names[int(cell["status"])], str(cell["reason"].values)


def test_measure__is_lazy(toy_cohort: Toy, max_computes: Callable) -> None:
    slabs, masks = toy_cohort()
    with max_computes(0):
        results = measure(slabs, masks=masks)
    assert all(variable.chunks is not None for variable in results.data_vars.values())


def test_measure__of_arrays_in_memory_is_lazy_too(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(chunk=None)
    assert measure(slabs, masks=masks)["bmff"].chunks is not None


def test_measure__gives_what_is_declared(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort()
    results = measure(slabs, masks=masks)
    declared = [variable.name for variable in variables_of("results")]
    validate(results, "participant", *declared)
    assert set(results.variables) == {"participant", *declared}
    assert list(results["region"].values) == list(REGIONS)
    assert results.attrs["recipe"] == "mask_aware"
    assert results.attrs["simulated"] == 1


def test_measure__carries_how_sure_the_model_was(toy_cohort: Toy) -> None:
    """Nobody looks into the masks for it; who drew by hand is neither sure nor unsure."""
    slabs, masks = toy_cohort(participants=2)
    assert measure(slabs, masks=masks)["confidence"].isnull().all()
    spine = masks["slab_2"].to_dataset(inherit=False)
    told = spine.assign(confidence=(("participant", "region"), np.float32([[0.25], [0.75]])))
    sure = masks.copy()
    sure["slab_2"] = xr.DataTree(told)
    found = measure(slabs, masks=sure)["confidence"]
    assert found.sel(region="spine").values.tolist() == [0.25, 0.75]
    assert found.drop_sel(region="spine").isnull().all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_measure__finds_the_known_fat_fraction(toy_cohort: Toy, recipe: str) -> None:
    # A whole slab of one fat fraction: neither smoothing nor erosion may move it.
    slabs, masks = toy_cohort(participants=2)
    for number in (2, 4, 5):
        slabs = change(slabs, f"slab_{number}", fat=(slice(None), 600), water=(slice(None), 400))
    results = measure(slabs, masks=masks, recipe=recipe).compute()
    # The authors' program counts slices at the slab's ends as 0 %, and these toy slabs are mostly ends.
    if recipe != "released_code":
        np.testing.assert_allclose(results["bmff"], 60, rtol=1e-6)
        np.testing.assert_allclose(results["bmff_ratio"], 60, rtol=1e-6)
        np.testing.assert_allclose(results["bmff_sd"], 0, atol=1e-4)
    np.testing.assert_allclose(results["volume"], 100 * 2 * 2 * 4.5 / 1000, rtol=1e-6)


def test_measure__keeps_participants_and_regions_apart(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=3)
    results = measure(slabs, masks=masks, recipe="none").compute()
    expected = 40 + 10 * np.arange(4) + np.arange(3)[:, None]
    np.testing.assert_allclose(results["bmff"], expected, atol=0.05)  # images are rounded to integers
    assert (results["voxels"] == 100).all()
    np.testing.assert_array_equal(results["measured_slab"], np.broadcast_to([2, 4, 4, 5], (3, 4)))
    # Box of y 8-12, x 4-8, z 2-5 in slab 4: the centre in RAS+ mm.
    head = results["centroid"].sel(region="total_hip").isel(participant=0)
    np.testing.assert_allclose(head, [30 - 2 * 6, 20 - 2 * 10, -400 + 4.5 * 3.5])


def test_measure__averages_across_the_border_only_when_asked(toy_cohort: Toy) -> None:
    # The boxes lie in tissue of 5 %: what smoothing brings in is what "none" must not have.
    slabs, masks = toy_cohort(participants=1)
    paper, none = (measure(slabs, masks=masks, recipe=recipe)["bmff"].compute() for recipe in ("paper", "none"))
    assert (paper < none - 1).all()


def test_measure__gives_all_variables_the_same_chunks(toy_cohort: Toy) -> None:
    """A store has its small variables in memory; beside images in partitions, xarray couldn't judge the results."""
    slabs, masks = toy_cohort(participants=3, chunk=1)
    stored = {
        node.path: node.to_dataset(inherit=False).assign(
            {name: one.compute() for name, one in node.data_vars.items() if "z" not in one.dims}
        )
        for node in slabs.subtree
    }
    results = measure(xr.DataTree.from_dict(stored), masks=masks)
    assert results.chunks["participant"] == (1, 1, 1)
    assert {one.chunks[0] for one in results.data_vars.values()} == {(1, 1, 1)}


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, None])
def test_measure__is_the_same_in_any_chunks(toy_cohort: Toy, chunk: int | None) -> None:
    slabs, masks = toy_cohort(participants=5, chunk=5)
    reference = measure(slabs, masks=masks)
    slabs, masks = toy_cohort(participants=5, chunk=chunk)
    xr.testing.assert_identical(measure(slabs, masks=masks).compute(), reference.compute())
    # The masks store has chunks of its own.
    xr.testing.assert_identical(measure(slabs, masks=masks.chunk(participant=4)).compute(), reference.compute())


def test_measure__doesnt_depend_on_the_order_of_participants(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=4)
    order = [2, 0, 3, 1]
    turned = measure(slabs.isel(participant=order), masks=masks.isel(participant=order))
    xr.testing.assert_identical(turned.compute(), measure(slabs, masks=masks).isel(participant=order).compute())


def test_measure__carries_on_what_was_simulated(toy_cohort: Toy) -> None:
    # Nobody may take the numbers of a simulated model for those of a real one.
    slabs, masks = toy_cohort(participants=1)
    slabs.attrs, masks.attrs = {"simulated": False, "ukb_instance": 3}, {"models_simulated": True}
    attrs = measure(slabs, masks=masks, recipe="none").attrs
    assert (attrs["simulated"], attrs["models_simulated"], attrs["ukb_instance"]) == (False, True, 3)
    assert (attrs["recipe"], attrs["recipe_smoothing"], attrs["recipe_width"]) == ("none", "none", 0)


def test_measure__tells_why_there_is_no_value(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=6)
    slabs = change(
        slabs,
        "slab_5",
        slab_status=([1, 2, 3], [SLAB_STATUS["absent"], SLAB_STATUS["unreadable"], SLAB_STATUS["withdrawn"]]),
        slab_reason=([2], "the zip is truncated"),
        fat=(4, 0),
        water=(4, 0),
    )
    masks = change(masks, "slab_5", mask=(5, 0))
    results = measure(slabs, masks=masks).compute()
    assert status_of(results, 0, "femoral_diaphysis") == ("measured", "")
    assert status_of(results, 1, "femoral_diaphysis") == ("not_attempted", "the slab is absent")
    assert status_of(results, 2, "femoral_diaphysis") == ("failed", "the zip is truncated")
    assert status_of(results, 3, "femoral_diaphysis") == ("not_attempted", "the participant has withdrawn")
    assert status_of(results, 4, "femoral_diaphysis") == ("failed", "fat and water are zero everywhere in the slab")
    assert status_of(results, 5, "femoral_diaphysis") == ("empty", "the mask has no voxel")

    shaft = results.sel(region="femoral_diaphysis")
    np.testing.assert_array_equal(shaft["voxels"], [100, 0, 0, 0, 100, 0])
    np.testing.assert_array_equal(np.isnan(shaft["volume"]), [False, True, True, True, False, False])
    np.testing.assert_array_equal(shaft["measured_slab"], [5, 0, 0, 0, 0, 0])
    assert [names_of(flags) for flags in shaft["flags"]] == [
        [], ["slab_absent"], ["slab_unreadable"], [], ["low_signal"], []
    ]  # fmt: skip
    # The other slabs of the same people are measured.
    assert (results["status"].drop_sel(region="femoral_diaphysis") == MEASUREMENT_STATUS["measured"]).all()


def test_measure__takes_no_image_that_isnt_there_for_one_of_zeros(toy_cohort: Toy) -> None:
    """Without water all would be fat: 100 %, which in a femur is a plausible value."""
    slabs, masks = toy_cohort(participants=3)
    calm = measure(slabs, masks=masks).compute()
    slabs = change(
        slabs,
        "slab_5",
        slab_status=([0, 1], SLAB_STATUS["incomplete"]),
        slab_reason=(0, "no water image"),
        water=(0, 0),
    )

    def without_a_slice(image: xr.DataArray) -> xr.DataArray:
        image[1, 3] = 0
        return image

    found = (
        measure(change(slabs, "slab_5", water=without_a_slice), masks=masks).compute().sel(region="femoral_diaphysis")
    )
    calm = calm.sel(region="femoral_diaphysis")
    assert status_of(found.expand_dims("region"), 0, "femoral_diaphysis") == ("failed", "no water image")
    assert np.isnan(found["bmff"][0])
    assert 0 < found["bmff_n"][1] < calm["bmff_n"][1]
    np.testing.assert_allclose(found["bmff"][1:], calm["bmff"][1:], atol=0.2)


def test_measure__is_judged_without_computing(toy_cohort: Toy, max_computes: Callable) -> None:
    """As composed by hand: what drew each region is known for all of them together, whatever slab they lie in."""
    slabs, masks = toy_cohort(participants=4, chunk=2)
    for name, node in masks.children.items():
        model = xr.DataArray(np.full(node.sizes["region"], "abc", object), dims="region").chunk(region=1)
        masks[name] = xr.DataTree(node.to_dataset(inherit=False).assign_coords(model=model))
    with max_computes(0):
        judged = measure(slabs, masks=masks).pipe(flag)
    assert judged["qc_outcome"].compute().shape == (4, 4)


def test_measure__has_a_value_exactly_where_it_was_measured(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=3)
    slabs = change(slabs, "slab_4", slab_status=(0, SLAB_STATUS["absent"]))
    masks = change(masks, "slab_2", mask=(1, 0))
    results = measure(slabs, masks=masks).compute()
    measured = results["status"] == MEASUREMENT_STATUS["measured"]
    for name in ("bmff", "bmff_median", "bmff_sd", "bmff_iqr", "bmff_ratio"):
        np.testing.assert_array_equal(results[name].notnull(), measured)
    np.testing.assert_array_equal(results["reason"] == "", measured)


def test_measure__fails_where_erosion_leaves_nothing(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=1)

    def two_voxels_wide(mask: xr.DataArray) -> xr.DataArray:
        mask[..., 6:] = 0  # the box begins at x = 4
        return mask

    masks = change(masks, "slab_2", mask=two_voxels_wide)
    results = measure(slabs, masks=masks).compute()
    assert status_of(results, 0, "spine") == ("failed", "nothing of the mask is left after erosion")
    spine = results.isel(participant=0).sel(region="spine")
    assert names_of(spine["flags"]) == ["nothing_left_after_erosion"]
    assert spine["voxels"] > 0
    assert np.isnan(spine["bmff"])


def test_measure__passes_on_what_the_store_noticed(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=2)
    slabs = change(
        slabs, "slab_2", slab_flags=(0, SLAB_FLAGS["repeated_series"]), slab_status=(1, SLAB_STATUS["incomplete"])
    )
    flags = measure(slabs, masks=masks)["flags"].sel(region="spine").compute()
    assert [names_of(bits) for bits in flags] == [["repeated_series", "irregular_source"], ["slab_incomplete"]]


def test_measure__of_some_regions_gives_those_in_their_order(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=2)
    turned = masks["slab_4"].to_dataset(inherit=False).isel(region=[1, 0])
    some = xr.DataTree.from_dict(
        {"/": masks.to_dataset(), "slab_4": turned.assign_coords(model=("region", ["b", "a"]))}
    )
    results = measure(slabs, masks=some).compute()
    assert list(results["region"].values) == ["femoral_head", "total_hip"]
    assert list(results["model"].values) == ["a", "b"]
    whole = measure(slabs, masks=masks).compute()
    np.testing.assert_array_equal(results["bmff"], whole["bmff"].sel(region=["femoral_head", "total_hip"]))


def test_measure__refuses_masks_that_dont_fit_and_lists_all(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=2)
    other = masks.isel(participant=[1, 0])
    other["slab_2"] = xr.DataTree(masks["slab_2"].to_dataset(inherit=False).isel(z=slice(1, None)))
    del slabs["slab_5"]
    with pytest.raises(SchemaError) as raised:
        measure(slabs, masks=other)
    message = str(raised.value)
    assert "slab_2/mask: expected the grid of the slab, z 10 × y 16 × x 18, found z 9 × y 16 × x 18" in message
    assert "slab_4/mask: expected the participants of the store in the same order" in message
    assert "slab_5: masks were given, but the store has no such slab" in message


def test_measure__names_the_closest_region_and_recipe(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=1)
    unknown = masks.copy()
    unknown["slab_5"] = xr.DataTree(masks["slab_5"].to_dataset(inherit=False).assign_coords(region=["diaphysis"]))
    with pytest.raises(ValueError, match=r"no region is called 'diaphysis'.*did you mean femoral_diaphysis"):
        measure(slabs, masks=unknown)
    with pytest.raises(ValueError, match=r"no recipe is called 'Paper'.*did you mean paper"):
        measure(slabs, masks=masks, recipe="Paper")


def test_measure__refuses_an_empty_tree(toy_cohort: Toy) -> None:
    slabs, masks = toy_cohort(participants=1)
    with pytest.raises(SchemaError, match=r"expected a tree with children slab_1 \.\.\. slab_6, found none"):
        measure(slabs, masks=xr.DataTree(masks.to_dataset()))


def test_measure__measures_what_was_exchanged_exchanged_back(toy_cohort: Toy) -> None:
    """And says so of whom it was; the images in the store stay as they are."""
    slabs, masks = toy_cohort(participants=3)
    plain = measure(slabs, masks=masks).compute()
    slab = slabs["slab_4"].to_dataset(inherit=False)
    swap = xr.zeros_like(slab["fat"], dtype=np.uint8).compute()
    swap[1] = 1
    turned = change(slabs, "slab_4", fat=(1, slab["water"][1].compute()), water=(1, slab["fat"][1].compute()))
    drawn = masks.copy()
    head, hip = (masks["slab_4"]["mask"].sel(region=name).compute() > 0 for name in ("femoral_head", "total_hip"))
    swap[2] = np.where(hip[2], 2, 0)
    drawn["slab_4"] = xr.DataTree(masks["slab_4"].to_dataset(inherit=False).assign(swap=swap.chunk(participant=1)))
    found = measure(turned, masks=drawn).compute()
    xr.testing.assert_identical(found.drop_vars("flags"), plain.drop_vars("flags"))
    assert [names_of(flags) for flags in found["flags"].sel(region="total_hip")] == [
        [], ["swap_corrected"], ["swap_suspected"]
    ]  # fmt: skip
    assert not (head[2] & hip[2]).any()
    assert names_of(found["flags"].sel(region="femoral_head")[2]) == []
    assert (found["flags"].sel(region="spine") == plain["flags"].sel(region="spine")).all()
