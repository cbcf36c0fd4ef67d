"""From tissue to the four magnitude images of a two-point Dixon exam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from bmx.acquisition import ContrastName
from bmx.types import FloatVolume, IntVolume


@dataclass(frozen=True, slots=True)
class Receiver:
    """How one exam turns signal into numbers."""

    scale: float
    """Stored value of a signal of 1."""
    noise: float
    """Standard deviation of the noise in each channel, relative to a signal of 1."""
    shading: float
    """Standard deviation of the log of the smooth sensitivity field."""


def dixon_images(
    water: FloatVolume, fat: FloatVolume, receiver: Receiver, rng: np.random.Generator
) -> dict[ContrastName, IntVolume]:
    """Magnitude images of a water and a fat signal, with shading, Rician noise and 12-bit rounding.

    Parameters
    ----------
    water, fat : (z, y, x) float32, signal of each component; 1 is pure subcutaneous fat

    Returns
    -------
    dict of (z, y, x) uint16, at most 4095: in ≈ W + F and opposed ≈ |W - F|, up to noise.

    Examples
    --------
    >>> signal = np.full((4, 8, 8), 0.5, np.float32)
    >>> clean = Receiver(scale=400, noise=0, shading=0)
    >>> images = dixon_images(signal, signal, clean, np.random.default_rng(0))
    >>> {name: int(image[0, 0, 0]) for name, image in images.items()}
    {'in_phase': 400, 'opposed_phase': 0, 'fat': 200, 'water': 200}
    """
    sensitivity = receiver.scale * np.exp(receiver.shading * smooth_field(water.shape, rng))
    signals: dict[ContrastName, FloatVolume] = {
        "in_phase": water + fat,
        "opposed_phase": np.abs(water - fat),
        "fat": fat,
        "water": water,
    }
    return {name: _magnitude(sensitivity * signal, receiver, rng) for name, signal in signals.items()}


def smooth_field(
    shape: tuple[int, ...], rng: np.random.Generator, knots: tuple[int, int, int] = (3, 4, 4)
) -> FloatVolume:
    """Random field of SD about 1 that varies over the whole volume (a spline through `knots` random values an axis).

    Examples
    --------
    >>> smooth_field((4, 8, 8), np.random.default_rng(0)).shape
    (4, 8, 8)
    """
    field = rng.standard_normal(knots, dtype=np.float32)
    # One axis after another: far cheaper than interpolating on the full grid.
    for axis, (count, length) in enumerate(zip(knots, shape, strict=True)):
        spline = make_interp_spline(np.arange(count), field, k=2, axis=axis)
        field = spline(np.linspace(0, count - 1, length)).astype(np.float32)
    return field


def _magnitude(signal: FloatVolume, receiver: Receiver, rng: np.random.Generator) -> IntVolume:
    """Rician magnitude of a real signal, rounded and clipped to 12 bits."""
    sigma = np.float32(receiver.scale * receiver.noise)
    real = signal + sigma * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(signal.shape, dtype=np.float32)
    rounded: IntVolume = np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095).astype(np.uint16)
    return rounded
