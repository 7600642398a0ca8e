"""What runs the networks: torch, or OpenVINO on a CPU, where the networks are converted once and kept."""

from __future__ import annotations

from pipeline.engine.choosing import Engine, compiled_precision, pick_engine

__all__ = ["Engine", "compiled_precision", "pick_engine"]
