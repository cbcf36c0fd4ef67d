from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bmx.acquisition import PIXEL_MM
from bmx.core.agreement import dice
from bmx.core.regrid import regrid, regrid_mask
from bmx.errors import ModelError
from bmx.models.base import Side
from bmx.models.library import Model, load_models
from bmx.regions import REGIONS, region_spacing
from bmx.simulation.bodies import simulate_participant
from bmx.simulation.people import draw_people, person_at
from tests.models.nnunet_folders import write_folder
from tests.networks import write_model


def test_load_models__finds_one_model_for_each_region(tmp_path: Path) -> None:
    for region in REGIONS:
        write_model(tmp_path / f"any name of {region}", region)
    models = load_models(tmp_path)
    assert list(models) == list(REGIONS)
    assert all(model.card.region == region for region, model in models.items())


def test_load_models__a_single_model_directory_is_enough_for_its_region(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    assert list(load_models(folder, regions=("spine",))) == ["spine"]


def test_load_models__names_the_regions_that_have_none(tmp_path: Path) -> None:
    write_model(tmp_path / "one", "spine")
    with pytest.raises(ModelError, match=r"no model of total_hip in .* which has spine; train one"):
        load_models(tmp_path, regions=("spine", "total_hip"))


def test_load_models__a_model_of_another_region_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    spine = load_models(folder, regions=("spine",))["spine"]
    with pytest.raises(ModelError, match="the model given for total_hip is a model of spine"):
        load_models({"total_hip": spine}, regions=("total_hip",))


def test_load_models__two_models_of_one_region_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "a", "spine")
    write_model(tmp_path / "b", "spine")
    with pytest.raises(ModelError, match="holds two models of spine"):
        load_models(tmp_path, regions=("spine",))


def test_load_models__says_what_a_missing_folder_should_be(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        load_models(tmp_path / "nowhere")


def test_load_models__says_how_a_model_of_nnunet_is_given(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a model of nnU-Net.*from_nnunet"):
        load_models(write_folder(tmp_path))


def test_network__weights_changed_after_training_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="not the file that its card describes"):
        load_models(folder, regions=("spine",))["spine"].network()


def test_network__weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    card["sizes"]["widths"] = [4, 3, 4, 5]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="does not fit the architecture on its card"):
        load_models(folder, regions=("spine",))["spine"].network()


def test_network__is_loaded_once_per_process(tmp_path: Path) -> None:
    model = load_models(write_model(tmp_path / "one", "spine"), regions=("spine",))["spine"]
    assert model.network() is Model(model.folder, model.card).network()


def test_read__a_card_without_an_entry_names_it(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    del card["licence"]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="lacks licence"):
        load_models(folder, regions=("spine",))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"input": "F+W"}, r"no network input is called 'F\+W'; expected one of fat\+water, fat"),
        ({"region": "banana"}, "no region is called 'banana'; expected one of spine"),
        ({"region": "total_hip_right"}, "total_hip_right has no model of its own"),
        ({"region": ["spine"]}, "can't be used"),
        ({"simulated": "no"}, "simulated 'no', expected true or false"),
        ({"spacing": 3}, r"spacing 3, expected \[4.5, 2.232143, 2.232143\], the voxels"),
        ({"spacing": [3.5, 2.232143, 2.232143]}, r"spacing \[3.5, .* of spine; train on these"),
        ({"spacing": [4.5, 2.232143]}, r"spacing \[4.5, 2.232143\], expected"),
        (
            {"orientation": "z Inferior, y Posterior, x Left"},
            "orientation .* expected 'z Superior, y Posterior, x Left'",
        ),
    ],
)
def test_read__a_card_that_can_t_be_heeded_is_refused(tmp_path: Path, entry: dict[str, object], message: str) -> None:
    """Each would draw wrong masks, or draw in images of people, without a word."""
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | entry))
    with pytest.raises(ModelError, match=message):
        load_models(folder, regions=("spine",))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"sizes": 5}, "sizes is 5, expected names with whole numbers above 0"),
        ({"sizes": {"widths": []}}, r"sizes is \{'widths': \[\]\}, expected names with whole"),
        ({"sizes": {"widths": [2, "3", 4, 5], "grid": 12}}, "sizes is .* expected names with whole numbers above 0"),
        ({"architecture": ["unet"]}, r"architecture is \['unet'\], expected a name"),
        ({"reference": None}, "reference is None, expected names with numbers"),
        ({"reference": {"confidence_median": "high"}}, "reference is .*'high'.* expected names with numbers"),
        ({"held_out": [0.9]}, r"held_out is \[0.9\], expected names with numbers"),
        ({"examples": 3}, "examples is 3, expected an object"),
        ({"weights_digest": None}, "weights_digest is None, expected a text"),
    ],
)
def test_read__a_malformed_card_is_refused(tmp_path: Path, entry: dict[str, object], message: str) -> None:
    """When it is read, not as a TypeError in a worker."""
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | entry))
    with pytest.raises(ModelError, match=rf"the card .*model\.json is malformed: {message}"):
        load_models(folder, regions=("spine",))


def test_network__sizes_that_build_nothing_are_one_clear_error(tmp_path: Path) -> None:
    """A number where the builder wants one for each level."""
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"sizes": {"widths": 4, "grid": 12}}))
    model = load_models(folder, regions=("spine",))["spine"]
    assert isinstance(model, Model)
    with pytest.raises(ModelError, match=r"model\.json describes no network of this bmx"):
        model.network()


def test_read__what_is_no_card_is_refused(tmp_path: Path) -> None:
    """Valid JSON, but of something else."""
    folder = write_model(tmp_path / "one", "spine")
    (folder / "model.json").write_text("[1]")
    with pytest.raises(ModelError, match="holds a list, expected an object"):
        load_models(folder, regions=("spine",))


@pytest.mark.parametrize("region", REGIONS)
def test_load_models__the_shipped_weights_say_that_they_are_not_for_people(region: str) -> None:
    model = load_models("simulated", regions=(region,))[region]
    assert model.card.simulated
    assert "simulated anatomy, not for people" in model.card.intended_use
    assert not model.network().training
    assert all(torch.isfinite(weight).all() for weight in model.network().parameters())


@pytest.mark.parametrize(("name", "seen"), [("simulated", "fat+water"), ("simulated_fat", "fat")])
def test_load_models__has_weights_of_all_regions_that_ship(name: str, seen: str) -> None:
    """A few MB in all, and each file is the one that its card describes."""
    models = load_models(name)
    assert list(models) == list(REGIONS)
    for model in models.values():
        assert isinstance(model, Model)
        assert (model.card.input, model.simulated) == (seen, True)
        assert model.card.held_out["dice_mean"] > 0.9
        assert (Path(model.folder) / "weights.safetensors").stat().st_size < 1.5e6
        model.network()


@pytest.mark.parametrize("name", ["simulated", "simulated_fat"])
def test_load_models__references_of_shipped_cards_tell_a_small_mask(name: str) -> None:
    """`bmx.qc.flag` calls small what is below the mean less 2.5 SD: of spread volumes that is less than nothing."""
    for model in load_models(name).values():
        assert isinstance(model, Model)
        reference = model.card.reference
        assert reference["volume_mean_ml"] - 2.5 * reference["volume_sd_ml"] > 0
        assert 0.9 < reference["confidence_median"] < 1


@pytest.mark.parametrize(("name", "moved"), [("simulated", False), ("simulated_fat", True)])
def test_draw__of_swapped_images_is_the_same_on_fat_and_water(name: str, moved: bool) -> None:
    """Why F + W is the default: a swap can't change it."""
    slab = simulate_participant(person_at(draw_people(1, 12), 0), (4,), 12)[4]
    fat, water = slab.images["fat"], slab.images["water"]
    model = load_models(name, regions=("femoral_head",))["femoral_head"]
    mask, swapped = (model.draw(*pair, slab.affine).mask for pair in ((fat, water), (water, fat)))
    true = slab.masks["femoral_head"].astype(bool)
    assert dice(mask > 0, true) > 0.85
    assert (not np.array_equal(mask, swapped)) == moved


@pytest.mark.parametrize("side", ["left", "right"])
def test_draw__resamples_voxels_that_it_hasn_t_learned(side: Side) -> None:
    """As confident as ever, it would draw another shape. On 2.9 mm a hip lost a tenth of its Dice."""
    slab = simulate_participant(person_at(draw_people(1, 7), 0), (4,), 7)[4]
    model = load_models("simulated", regions=("total_hip",))["total_hip"]
    spacing, target = region_spacing(REGIONS["total_hip"]), (4.5, 2.9, 2.9)
    images = [np.rint(regrid(slab.images[name], spacing, target)).astype(np.uint16) for name in ("fat", "water")]
    true = regrid_mask(slab.masks["total_hip"].astype(bool), spacing, target)
    if side == "right":
        images, true = [image[..., ::-1] for image in images], true[..., ::-1]
    affine = slab.affine.copy()
    affine[:, :2] *= 2.9 / PIXEL_MM
    drawn = model.draw(*images, affine, side=side)
    assert drawn.mask.shape == true.shape
    assert dice(drawn.mask > 0, true) > 0.9


def test_draw__takes_rounded_headers_as_the_protocol(tmp_path: Path) -> None:
    """What a header says of the very same voxels must not move a mask: below 2 % nothing is resampled."""
    model = load_models(write_model(tmp_path / "one", "spine"), regions=("spine",))["spine"]
    rng = np.random.default_rng(0)
    fat, water = rng.integers(0, 900, (2, 12, 40, 48)).astype(np.uint16)
    z, y, x = region_spacing(REGIONS["spine"])
    plain, rounded = (
        model.draw(fat, water, np.column_stack([np.diag([-x * off, -y / off, z * off]), np.zeros(3)]))
        for off in (1, 1.018)
    )
    assert plain.mask.any()
    np.testing.assert_array_equal(rounded.mask, plain.mask)
    assert rounded.confidence == plain.confidence


def test_logits__go_to_the_cpu_if_the_gpu_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And say so. A GPU that is full can't be had here: the first call of the network plays it."""
    model = load_models(write_model(tmp_path / "one", "spine"), regions=("spine",))["spine"]
    assert isinstance(model, Model)
    volume = np.random.default_rng(0).random((8, 24, 24), np.float32)
    expected = model.logits(volume)

    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.network(), "forward", full)
    np.testing.assert_allclose(model.logits(volume), expected, rtol=1e-6)
    assert "spine: a volume of 8 x 24 x 24 doesn't fit the GPU's memory, drawn on the CPU" in caplog.text
