"""The shape of one simulated person, in body mm: x to the Right, y Anterior, z Superior; hip joints at z = 0."""
