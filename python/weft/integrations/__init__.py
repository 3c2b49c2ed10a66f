# SPDX-License-Identifier: Apache-2.0
# Bridges to frameworks that run models; each is its own module, imported when it is named.
"""Bridges to frameworks: ``weft.integrations.transformers``."""
from __future__ import annotations

import importlib

__all__ = ["transformers"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'weft.integrations' has no attribute {name!r}")
    return importlib.import_module(f"weft.integrations.{name}")
