"""From noise-free echoes to the four images that a scanner stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from bmx.acquisition import ContrastName
from bmx.core.dixon_signal import ECHO_TIMES_MS, Echoes, fat_phasor, separate
from bmx.types import FloatVolume, IntVolume

TWELVE_BITS = 4095


@dataclass(frozen=True, slots=True)
class Receiver:
    """How one exam turns signal into numbers."""

    scale: float
    """Stored value of a signal of 1."""
    noise: float = 0.0
    """Standard deviation of the noise in each channel of an echo, relative to a signal of 1."""
    shading: float = 0.0
    """Standard deviation of the log of the smooth sensitivity field (coils and transmit field together)."""
    phase_error: float = 0.0
    """Standard deviation of the phase that the reconstruction leaves on an echo, radians, smooth in space."""
    ghost_slices: int = 0
    """Slices at each end onto which the other end is wrapped."""
    ghost: float = 0.0
    """Strength of the outermost ghost relative to what it is a ghost of; it fades inwards."""
    end_loss: float = 0.0
    """Share of the signal that the outermost slices lack, where the excitation falls off."""


def dixon_images(echoes: Echoes, receiver: Receiver, rng: np.random.Generator) -> dict[ContrastName, IntVolume]:
    """Magnitude images of two echoes, with shading, ghosts, phase errors, noise and 12-bit rounding.

    in ≈ W + F and opposed ≈ |W - F|, as in real images not exactly: fat and water come from the real part
    of noisy echoes whose phase was corrected imperfectly, in and opposed are magnitudes.

    Parameters
    ----------
    echoes : each (z, y, x) float32

    Returns
    -------
    dict of (z, y, x) uint16, at most 4095.

    Examples
    --------
    >>> water = np.full((4, 8, 8), 0.5, np.float32)
    >>> echoes = Echoes(water, water, np.zeros_like(water), np.zeros_like(water))
    >>> images = dixon_images(echoes, Receiver(scale=400), np.random.default_rng(0))
    >>> {name: int(image[0, 0, 0]) for name, image in images.items()}
    {'in_phase': 200, 'opposed_phase': 200, 'fat': 0, 'water': 200}
    """
    shape = echoes.water_in.shape
    gain = receiver.scale * np.exp(np.float32(receiver.shading) * smooth_field(shape, rng))
    gain *= _ends(shape[0], receiver.ghost_slices, receiver.end_loss)
    first, second = (complex(fat_phasor(echo)) for echo in ECHO_TIMES_MS)
    wrapped = Echoes(*(_wrap(gain * part, receiver) for part in echoes))
    opposed = _Noisy.of(
        wrapped.water_opposed + np.float32(first.real) * wrapped.fat_opposed,
        np.float32(first.imag) * wrapped.fat_opposed, receiver, rng,
    )  # fmt: skip
    # The phase of the in-phase echo is the reference, so that its signal is all real.
    in_real = wrapped.water_in + np.float32(second.real) * wrapped.fat_in
    in_phase = _Noisy.of(np.hypot(in_real, np.float32(second.imag) * wrapped.fat_in), np.float32(0), receiver, rng)
    water, fat = separate(opposed.corrected(receiver, rng), in_phase.corrected(receiver, rng))
    return {
        "in_phase": _stored(np.hypot(in_phase.real, in_phase.imaginary)),
        "opposed_phase": _stored(np.hypot(opposed.real, opposed.imaginary)),
        "fat": _stored(fat),
        "water": _stored(water),
    }


@dataclass(frozen=True, slots=True)
class _Noisy:
    """An echo with noise in both channels."""

    real: FloatVolume
    imaginary: FloatVolume

    @classmethod
    def of(
        cls, real: FloatVolume, imaginary: FloatVolume | np.float32, receiver: Receiver, rng: np.random.Generator
    ) -> _Noisy:
        sigma = np.float32(receiver.scale * receiver.noise)
        noisy = []
        for part in (real, imaginary):
            noise = rng.standard_normal(real.shape, dtype=np.float32)
            noise *= sigma
            noise += part
            noisy.append(noise)
        return cls(*noisy)

    def corrected(self, receiver: Receiver, rng: np.random.Generator) -> FloatVolume:
        """Real part after a phase correction that is a little wrong."""
        if not receiver.phase_error:
            return self.real
        phase = np.float32(receiver.phase_error) * smooth_field(self.real.shape, rng)
        turned: FloatVolume = self.real * np.cos(phase) - self.imaginary * np.sin(phase)
        return turned


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


def _ends(slices: int, ghost_slices: int, loss: float) -> FloatVolume:
    """Excitation along z, (z, 1, 1): it falls off towards the first and last slice."""
    from_end = np.minimum(np.arange(slices), np.arange(slices)[::-1])
    profile = 1 - loss * np.exp(-from_end / max(ghost_slices / 2, 0.5))
    return profile.astype(np.float32)[:, None, None]


def _wrap(volume: FloatVolume, receiver: Receiver) -> FloatVolume:
    """Add to the slices at each end what lies at the other end: it was excited too, and folds over."""
    count = min(receiver.ghost_slices, len(volume) // 2)
    if count and receiver.ghost:
        weights = np.float32(receiver.ghost) * np.linspace(1, 0, count, endpoint=False, dtype=np.float32)
        low, high = volume[:count].copy(), volume[-count:].copy()
        volume[:count] += weights[:, None, None] * high[::-1]
        volume[-count:] += weights[::-1, None, None] * low[::-1]
    return volume


def _stored(magnitude: FloatVolume) -> IntVolume:
    return np.clip(np.rint(magnitude), 0, TWELVE_BITS).astype(np.uint16)
