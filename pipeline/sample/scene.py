"""Painting things into the photo, with walls and shadows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.camera import Camera, Frame
from pipeline.sample.colours import INK, Colour, mixed
from pipeline.sample.shapes import SUBPIXEL_BITS, Points, fixed_point, rect
from pipeline.sample.things import Pose, Thing


@dataclass(frozen=True)
class Scene:
    """The photo while it is painted, and the light's direction: ``sun`` is a shadow's way (2,) per height."""

    frame: Frame
    camera: Camera
    sun: Points

    def lay(self, thing: Thing, pose: Pose) -> None:
        """Paint a thing with its shadow."""
        ground = pose.place(thing, rect(0, 0, 1, thing.art.ratio))
        self._paint_shadow(thing, ground)
        if len(thing.outline):
            self._paint_walls(thing, pose)
        corners = self.camera.project(ground, thing.thick)
        window = _window_around(corners, self.camera.size, 1)
        if window:
            over = _stretched(thing.art.pixels, corners, window)
            under = self.frame[window]
            under[:] = np.minimum(
                cv2.multiply(under, cv2.merge([255 - over[..., 3]] * 3), scale=1 / 255) + over[..., :3], 255
            )

    def _paint_shadow(self, thing: Thing, ground: Points) -> None:
        fall = self.camera.project(ground + self.sun * (thing.thick + 0.15), 0.0)
        blur = (0.15 + 0.3 * thing.thick) * self.camera.scale
        window = _window_around(fall, self.camera.size, math.ceil(3 * blur))
        if window:
            step = max(1, int(blur / 2))  # a blurred shadow needs no more pixels than that
            mask = _stretched(np.ascontiguousarray(thing.art.pixels[..., 3]), fall, window, step)
            soft = cv2.GaussianBlur(mask, (0, 0), max(blur / step, 0.5))
            under = self.frame[window]
            soft = cv2.resize(soft, under.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            dark = 255 - soft * np.float32(0.55)
            under[:] = under * (dark / 255)[..., None]

    def _paint_walls(self, thing: Thing, pose: Pose) -> None:
        ground = pose.place(thing, thing.outline)
        low, high = self.camera.project(ground, 0.0), self.camera.project(ground, thing.thick)
        for side in range(len(ground)):
            ends = [side, (side + 1) % len(ground)]
            wall = np.concatenate([high[ends], low[ends[::-1]]])
            faces_away = cv2.contourArea(wall.astype(np.float32), oriented=True) >= 0
            if faces_away:
                continue
            colour = mixed(thing.walls[side % len(thing.walls)], INK, self._shade(ground[ends[1]] - ground[ends[0]]))
            cv2.fillPoly(self.frame, [fixed_point(wall)], colour, cv2.LINE_AA, SUBPIXEL_BITS)
            if thing.leaves and side < len(ground) - 1:
                self._paint_leaves(low[ends], high[ends], mixed(colour, INK, 0.2))

    def _shade(self, along: Points) -> float:
        """How much darker a wall is that runs ``along`` (2,) the desk: the more, the less it faces the light."""
        lit = float(np.array([-along[1], along[0]]) @ -self.sun) / (np.hypot(*along) * np.hypot(*self.sun) + 1e-9)
        return float(0.35 - 0.25 * lit)

    def _paint_leaves(self, low: Points, high: Points, colour: Colour) -> None:
        """Lines along a wall between its lower and its upper edge, (2, 2) each."""
        width = max(1, round(self.camera.scale * 0.05))
        for share in (0.2, 0.4, 0.6, 0.8):
            leaf = fixed_point(low + share * (high - low))
            cv2.polylines(self.frame, [leaf], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)


def _window_around(corners: Points, size: tuple[int, int], margin: int) -> tuple[slice, slice] | None:
    """Rows and columns of the photo around the points (N, 2); None where they all lie outside."""
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - margin, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + margin, size)
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def _stretched(
    art: NDArray[np.uint8], corners: Points, window: tuple[slice, slice], step: int = 1
) -> NDArray[np.uint8]:
    """``art`` (H, W, any) stretched to the four ``corners`` (4, 2), in a window of the photo, every ``step`` pixels."""
    rows, columns = window
    high, wide = art.shape[:2]
    source = rect(0, 0, wide, high).astype(np.float32)
    target = ((corners - (columns.start, rows.start)) / step).astype(np.float32)
    size = (-(-(columns.stop - columns.start) // step), -(-(rows.stop - rows.start) // step))
    return np.asarray(cv2.warpPerspective(art, cv2.getPerspectiveTransform(source, target), size), dtype=np.uint8)
