"""Reads the IOC's configuration as the worker's is read: every problem at once, with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.document import read
from pipeline.config.load import absolute, refuse_variables
from pipeline.config.validation import validate
from pipeline.ioc.config.display import map_lines
from pipeline.ioc.config.settings import IocConfig


def load_ioc(path: Path) -> IocConfig:
    """The configuration; relative paths are taken from the file's folder. Raises ConfigError."""
    document = read(path)
    refuse_variables(document, document.data, ())
    config = validate(document, IocConfig, document.data)
    document.refuse()
    folder = path.resolve().parent
    config = absolute(config, folder)
    evidence = config.evidence
    stores = {worker: _located(url, folder) for worker, url in evidence.workers.items()}
    here = evidence.model_copy(update={"url": _located(evidence.url, folder), "workers": stores})
    config = config.model_copy(update={"evidence": here})
    map_lines(config.map)
    return config


def ioc_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file, for editors."""
    return {"title": "Ngã Tư IOC", **IocConfig.model_json_schema()}


def _located(url: str, folder: Path) -> str:
    return url if "://" in url else str(folder / Path(url).expanduser())
