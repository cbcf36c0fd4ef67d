"""The real nnU-Net on a tiny real model folder: trained here for seconds, saved by its own trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from distributed import Client

from bmx.cohort.run import run
from bmx.core.geometry import to_world
from bmx.errors import ModelError
from bmx.measurement import measure
from bmx.models.label_tables import LabelTable
from bmx.models.nnunet_folder import from_nnunet
from bmx.segmentation import segment
from bmx.store.reading import open_store
from bmx.types import Affine, IntVolume
from tests.cohorts import assert_same_values, make_store
from tests.models.nnunet_folders import DATASET, PLACE, PLANS, SPACING, write_lists

WHY = "nnunetv2 is not installed (`make test-slow` installs tests/models/nnunetv2.txt beside the pinned torch)"
TABLE = LabelTable("halves", regions={"femoral_head": 1, "total_hip": 2})

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # nnU-Net's own, on a network as small as this one
]

Volume = npt.NDArray[np.float32]


def blocks(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Volume, npt.NDArray[np.int64]]:
    """Bright blocks in noise, and labels that know left from right: 1 where x is low in a block, 2 where it is high."""
    image = rng.normal(0, 0.1, shape).astype(np.float32)
    labels = np.zeros(shape, np.int64)
    for x in range(3, shape[2] - 9, 14):
        z, y = rng.integers(2, shape[0] - 7), rng.integers(2, shape[1] - 11)
        inside = (slice(z, z + 5), slice(y, y + 9), slice(x, x + 8))
        image[inside] += 1
        labels[inside] = 1
        labels[inside[0], inside[1], x + 4 : x + 8] = 2
    return image, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on arrays whose x grows towards Right, as of NIfTI files in RAS+: label 1 is the left half of a block."""
    pytest.importorskip("nnunetv2", reason=WHY)
    place = tmp_path_factory.mktemp("nnunet")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{name}", str(place / name))
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

        cases = place / "preprocessed/Dataset900_Tiny/nnUNetPlans_3d_fullres"
        cases.mkdir(parents=True)
        (cases / "case.b2nd").touch()  # its suffix tells the trainer how cases would be stored
        torch.manual_seed(0)
        trainer = nnUNetTrainer(
            {**PLANS, "continue_training": False}, "3d_fullres", 0, DATASET, device=torch.device("cpu")
        )
        trainer.initialize()
        _learn(trainer.network)
        trainer.logger.log("train_losses", np.mean(np.float32([1, 2])), 0)
        trainer.logger.log("mean_fg_dice", np.mean([0.5, 0.6]), 0)
        saved = write_lists(place / PLACE)
        (saved / "fold_0").mkdir()
        trainer.save_checkpoint(str(saved / "fold_0/checkpoint_final.pth"))
    return saved


def _learn(network: Any) -> None:
    rng = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    network.train()
    for _ in range(80):
        pairs = [blocks(rng, (16, 32, 32)) for _ in range(2)]
        image = np.stack([(one - one.mean()) / one.std() for one, _ in pairs])[:, None]
        found = network(torch.from_numpy(image))
        logits = found[0] if isinstance(found, list | tuple) else found
        labels = torch.from_numpy(np.stack([label for _, label in pairs]))
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1, "the tiny network has not learned its task"


def stored(spacing: tuple[float, float, float] = SPACING) -> tuple[IntVolume, Affine, dict[str, npt.NDArray[np.bool_]]]:
    """One block in a slab as bmx stores it (x towards Left), and its halves by their places in the body."""
    z, y, x = spacing
    shape = (16, round(32 * 2.5 / y), round(48 * 2.5 / x))
    affine = np.array([[-x, 0, 0, 60], [0, -y, 0, 40], [0, 0, z, -36]])
    places = to_world(affine, np.moveaxis(np.indices(shape), 0, -1))
    inside = (np.abs(places - [12.0, 5.0, 0.0]) < [10.0, 11.25, 11.25]).all(axis=-1)
    image = np.random.default_rng(1).normal(300, 20, shape) + 200 * inside
    right = places[..., 0] > 12
    return image.astype(np.uint16), affine, {"femoral_head": inside & ~right, "total_hip": inside & right}


def dice(one: npt.NDArray[Any], other: npt.NDArray[np.bool_]) -> float:
    return float(2 * (one.astype(bool) & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("spacing", [SPACING, (4.5, 2.232143, 2.232143), (3.5, 1.5, 1.5)])
def test_draw__left_is_left_at_any_spacing(folder: Path, spacing: tuple[float, float, float]) -> None:
    """The network knows its left half by direction alone; in the store x runs the other way."""
    image, affine, halves = stored(spacing)
    models = from_nnunet(folder, labels=TABLE, input="fat", orientation="SAR")
    for region, other in (("femoral_head", "total_hip"), ("total_hip", "femoral_head")):
        mask = models[region].draw(image, np.zeros_like(image), affine).mask
        assert dice(mask, halves[region]) > 0.7  # halves are four voxels wide: most of them lie at the border
        assert dice(mask, halves[other]) < 0.2


@pytest.mark.parametrize("flipped", [(1,), (2,), (1, 2), (0, 2)])
def test_draw__a_flipped_slab_gives_the_same_places(folder: Path, flipped: tuple[int, ...]) -> None:
    image, affine, _ = stored()
    turned = affine.copy()
    for axis in flipped:
        turned[:, 3] += (image.shape[axis] - 1) * turned[:, 2 - axis]
        turned[:, 2 - axis] *= -1
    model = from_nnunet(folder, labels=TABLE, input="fat", orientation="SAR")["total_hip"]
    straight = model.draw(image, np.zeros_like(image), affine).mask
    flat = np.ascontiguousarray(np.flip(image, flipped))
    np.testing.assert_array_equal(np.flip(model.draw(flat, np.zeros_like(flat), turned).mask, flipped), straight)


def test_draw__a_wrong_orientation_exchanges_the_halves(folder: Path) -> None:
    """What the tests above would not see if the network didn't know left from right."""
    image, affine, halves = stored()
    wrong = from_nnunet(folder, labels=TABLE, input="fat", orientation="SPL")
    assert dice(wrong["femoral_head"].draw(image, np.zeros_like(image), affine).mask, halves["total_hip"]) > 0.7


@pytest.mark.parametrize("mirroring", [False, True])
def test_draw__gives_what_nnunet_gives_by_itself(folder: Path, mirroring: bool) -> None:
    """Against nnU-Net's own way, which unpickles the checkpoint (here our own) and is shown a volume turned by hand."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    image, affine, _ = stored((3.5, 1.5, 1.5))
    theirs = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False, use_mirroring=mirroring)
    theirs.initialize_from_trained_model_folder(str(folder), use_folds=(0,))
    by_hand = image[None, :, ::-1, ::-1].astype(np.float32)
    labels = theirs.predict_single_npy_array(by_hand, {"spacing": [3.5, 1.5, 1.5]})[:, ::-1, ::-1]
    ours = from_nnunet(folder, labels=TABLE, input="fat", orientation="SAR", mirroring=mirroring)
    for region, label in (("femoral_head", 1), ("total_hip", 2)):
        mask = ours[region].draw(image, np.zeros_like(image), affine).mask
        np.testing.assert_array_equal(mask, labels == label)
        assert mask.any()


def test_run__of_a_cohort_gives_what_composing_by_hand_gives(folder: Path, tmp_path: Path, threads: Client) -> None:
    """In worker processes, which are told of the folder in text and load its weights by themselves."""
    store = make_store(tmp_path, (1000001, 1000002), slabs=(4,), client=threads)
    models = from_nnunet(folder, labels=TABLE, input="fat", orientation="SAR")
    how: dict[str, Any] = {"models": models, "regions": list(models), "allow_simulated": True}
    results = run(store, tmp_path / "r.zarr", workers=2, **how).compute()
    torch.set_num_threads(1)  # as the tasks of a run have
    masks = segment(open_store(store), **how).compute(scheduler="synchronous")
    by_hand = measure(open_store(store), masks=masks).compute(scheduler="synchronous")
    assert_same_values(results.drop_vars("source_digest"), by_hand)
    assert results["model"].to_numpy().tolist() == [model.digest for model in models.values()]
    assert (results["voxels"] > 0).any()


def test_draw__a_file_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    from shutil import copytree

    mine = Path(copytree(folder, tmp_path / folder.name))
    image, affine, _ = stored()
    model = from_nnunet(mine, labels=TABLE, input="fat", orientation="SAR")["total_hip"]
    (mine / "plans.json").write_text((mine / "plans.json").read_text() + "\n")
    with pytest.raises(ModelError, match=r"plans.json has changed since the model was described"):
        model.draw(image, image, affine)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("network_class_name", "subprocess.Popen", "builds its network of 'subprocess.Popen'"),
        ("features", [4, 8], "does not fit the network of plans.json: .* tensors differ.*trained by nnUNetTrainer"),
    ],
)
def test_draw__plans_of_another_network_are_refused(
    folder: Path, tmp_path: Path, entry: str, value: Any, message: str
) -> None:
    """One that would run a program, and one that is merely another."""
    from copy import deepcopy
    from shutil import copytree

    plans = deepcopy(PLANS)
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    if entry == "features":
        architecture["arch_kwargs"]["features_per_stage"] = value
    else:
        architecture[entry] = value
    mine = write_lists(Path(copytree(folder, tmp_path / folder.name)), plans=plans)
    image, affine, _ = stored()
    model = from_nnunet(mine, labels=TABLE, input="fat", orientation="SAR")["total_hip"]
    with pytest.raises(ModelError, match=message):
        model.draw(image, image, affine)
