"""The link to a repair that the task shows in Airflow's UI, beside the one to the run."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom
from airflow.sdk import BaseOperator
from airflow.sdk.types import TaskInstanceKey

XCOM_REPAIR_PAGE_URL_KEY = "repair_page_url"


class DatabricksRepairLink(BaseOperatorLink):
    """Constructs a link to what the latest repair runs again."""

    name = "See Databricks Repair"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return XCom.get_value(key=XCOM_REPAIR_PAGE_URL_KEY, ti_key=ti_key) or ""
