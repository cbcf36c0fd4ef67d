"""The shape of one person, in body millimetres: x to the Right, y Anterior, z Superior; hip joints at z = 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Vertebra:
    """One vertebral body: an elliptic cylinder with a waist."""

    centre: tuple[float, float, float]
    radius_x: float
    radius_y: float
    height: float
    tilt: float
    """Slope of the spine in the sagittal plane (mm forward per mm up)."""
    bmff: float
    """Percent."""


@dataclass(frozen=True, slots=True)
class Femur:
    """One thigh bone, from its head to the knee."""

    head: tuple[float, float, float]
    head_radius: float
    neck_end: tuple[float, float, float]
    """Where the axes of neck and shaft meet."""
    neck_radius: float
    knee: tuple[float, float, float]
    shaft_radius: float
    isthmus_z: float
    """Height of the narrowest part of the medullary canal."""
    canal_radius: float
    """Of the medullary canal at the isthmus."""
    bmff: Mapping[str, float]
    """Percent, of femoral_head, total_hip and femoral_diaphysis."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Everything that `bmx.simulation.bodies` needs to paint one person."""

    size: float
    """Length of the skeleton relative to a height of 170 cm."""
    torso: tuple[float, float]
    """Half width and half depth at the waist."""
    thigh: float
    """Radius of a thigh at mid length."""
    shell: float
    """Thickness of the subcutaneous fat."""
    muscle_fat: float
    """Percent fat in muscle."""
    visceral_fat: float
    """Share of fat in the abdominal cavity, 0-1."""
    vertebrae: tuple[Vertebra, ...]
    femora: tuple[Femur, Femur]
    """Left, right."""


def draw_anatomy(person: Mapping[str, Any], rng: np.random.Generator) -> Anatomy:
    """Draw the body of a person (a row of `bmx.simulation.people.draw_people`).

    Lengths follow height; girth and fat follow BMI and sex; left and right femur differ by a few
    percent. Hip to hip 178 mm and hip to knee 406 mm at a height of 170 cm.
    """
    male = person["sex"] == "Male"
    size = person["height"] / 170 * rng.normal(1, 0.01)
    girth = size * np.sqrt(person["bmi"] / 22.5)
    # Bones are thicker in men, beyond what their height explains.
    bone = size * (1.03 if male else 0.97) * rng.normal(1, 0.02)
    left = _draw_femur(-1, person, size, bone, rng)
    right = _draw_femur(+1, person, size, bone * rng.normal(1, 0.015), rng)
    return Anatomy(
        size=size,
        torso=(girth * rng.normal(155 if male else 148, 6), girth * rng.normal(104, 6)),
        thigh=girth * rng.normal(76 if male else 80, 4),
        shell=max(4.0, rng.normal(12 if male else 20, 3) * (person["bmi"] / 22.5) ** 2),
        muscle_fat=rng.uniform(4, 8),
        visceral_fat=float(np.clip(rng.normal(0.4 if male else 0.3, 0.08), 0.1, 0.7)),
        vertebrae=_draw_spine(person, size, bone, rng),
        femora=(left, right),
    )


def _draw_spine(person: Mapping[str, Any], size: float, bone: float, rng: np.random.Generator) -> tuple[Vertebra, ...]:
    """L5 to T4, bottom up, on a curve with lordosis and a slight scoliosis."""
    bend, phase = rng.normal(0, 4), rng.uniform(0, 2 * np.pi)
    lordosis = rng.normal(11, 3)

    def centre_y(z: float) -> float:
        return float(-24 * size + lordosis * np.sin((z / size - 100) / 330 * 2 * np.pi))

    vertebrae = []
    z = 108 * size
    for level in range(14):
        pitch = size * (36.5 - 0.85 * level) * rng.normal(1, 0.015)
        slope = (centre_y(z + 5) - centre_y(z - 5)) / 10
        x = float(bend * np.sin(2 * np.pi * z / 320 + phase))
        vertebrae.append(
            Vertebra(
                centre=(x, centre_y(z), z),
                radius_x=bone * (24.5 - 0.65 * level),
                radius_y=bone * (17.5 - 0.25 * level),
                height=pitch * 0.77,
                tilt=slope,
                bmff=float(np.clip(person["bmff_spine"] + rng.normal(0, 2) - 0.4 * (level - 6), 5, 97)),
            )
        )
        z += pitch
    return tuple(vertebrae)


def _draw_femur(side: int, person: Mapping[str, Any], size: float, bone: float, rng: np.random.Generator) -> Femur:
    """One femur; `side` is -1 on the left, +1 on the right."""
    head_x = side * 89 * size * rng.normal(1, 0.015)
    angle = np.deg2rad(rng.normal(128, 3))  # between neck and shaft
    length = bone * rng.normal(53, 2)
    offset = length * np.sin(angle)
    isthmus_z = -size * rng.normal(192, 9)
    return Femur(
        head=(head_x, 0.0, 0.0),
        head_radius=bone * rng.normal(23.8, 0.6),
        neck_end=(head_x + side * offset, -bone * rng.normal(7, 2), length * np.cos(angle)),
        neck_radius=bone * rng.normal(15.5, 0.6),
        knee=(side * 80 * size, rng.normal(0, 6), -406 * size * rng.normal(1, 0.02)),
        shaft_radius=bone * rng.normal(14.6, 0.5),
        isthmus_z=isthmus_z,
        canal_radius=bone * rng.normal(6.0, 0.4),
        bmff={name: float(person[f"bmff_{name}"]) for name in ("femoral_head", "total_hip", "femoral_diaphysis")},
    )
