"""Typed configuration of the IOC, and the tree of areas that cameras belong to."""

from pipeline.ioc.config.areas import AreaSettings, AreaTree
from pipeline.ioc.config.load import load_ioc
from pipeline.ioc.config.settings import (
    DatabaseSettings,
    EvidenceStores,
    IocConfig,
    IocKafkaSettings,
    ReviewSettings,
    ServerSettings,
)

__all__ = [
    "AreaSettings",
    "AreaTree",
    "DatabaseSettings",
    "EvidenceStores",
    "IocConfig",
    "IocKafkaSettings",
    "ReviewSettings",
    "ServerSettings",
    "load_ioc",
]
