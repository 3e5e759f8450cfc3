"""What people do with cases: each call says who asks, and shows and changes only what that person may."""

from pipeline.ioc.desk.desk import CaseView, Desk, HistoryEntry, NotFoundError
from pipeline.ioc.desk.queue import CaseRow, Filter, Page

__all__ = ["CaseRow", "CaseView", "Desk", "Filter", "HistoryEntry", "NotFoundError", "Page"]
