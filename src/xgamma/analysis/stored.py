"""The report of a store."""

from __future__ import annotations

from xgamma.analysis.failures import failed_runs
from xgamma.ingest.stored import holdings_of, stored_runs
from xgamma.report import page as report_page
from xgamma.report import stores
from xgamma.store import Store
from xgamma.store.records import now


def store_report(store: Store, name: str, created: str | None = None) -> str:
    """Return the HTML of the report of a store.

    Parameters
    ----------
    store, name
        The store, and what it is called.
    created
        When the report is made, ISO 8601; by default now.
    """
    records, damaged = store.listing()
    held = holdings_of(store, stored_runs(store))
    failed = [each.run for each in failed_runs(store)]
    sections = stores.store_sections(name, records, damaged, held, failed, sorted(store.tags()))
    return report_page.page(
        f"Store {name}", sections, stores.headline(records, held, failed), created or now()[:16] + "Z"
    )
