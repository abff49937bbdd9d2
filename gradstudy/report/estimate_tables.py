"""Estimates that a study without claims records as they are: rows of tables with `low`, `high`, `n` behind a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gradstudy.claims.claim import Estimate

if TYPE_CHECKING:
    import pandas as pd

_INTERVAL = ["low", "high", "n"]
_KEY = ("run", "group", "control")


def estimates(report: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, str, Estimate]]:
    """Table, run and estimate of every row of every such table; none of a study that has claims, whose estimates count.

    A row's condition is its group and its control, the parameters in which runs of the group differ, and the texts in
    the row; its unit is the column `unit`, else the name of the value's column.

    Args:
        report: content of report.json.
        tables: its tables, with the parameters of each row's run.
    """
    if report["claims"] or not report["runs"]["list"]:
        return
    parameters = set(report["runs"]["list"][0]["parameters"])
    for name, table in sorted(tables.items()):
        if value := _value_column(table):
            for row in table.to_dict("records"):
                if row["low"] <= row["high"]:
                    yield name, row["run"], _estimate(row, value, _condition(row, table, value, parameters))


def _value_column(table: pd.DataFrame) -> str:
    """The column of numbers in front of `low`, `high` and `n`; empty when there is none."""
    columns = list(table.columns)
    for place in range(len(columns) - 3):
        if columns[place + 1 : place + 4] == _INTERVAL:
            numeric = all(table[column].dtype.kind in "if" for column in columns[place : place + 4])
            return str(columns[place]) if numeric and table["n"].notna().all() else ""
    return ""


def _estimate(row: Mapping[Any, Any], value: str, condition: str) -> Estimate:
    unit = str(row.get("unit", value))
    return Estimate(float(row[value]), float(row["low"]), float(row["high"]), int(row["n"]), unit, condition)


def _condition(row: Mapping[Any, Any], table: pd.DataFrame, value: str, parameters: set[str]) -> str:
    alike = table[table["group"] == row["group"]]
    varied = [name for name in table.columns if name in parameters and alike[name].nunique(dropna=False) > 1]
    telling = [name for name in table.columns if name not in (*_KEY, "unit", value, *parameters)]
    texts = [row[name] for name in telling if isinstance(row[name], str)]
    planted = [f"control {row['control']}"] if row["control"] else []
    return ", ".join([row["group"], *planted, *(f"{name} = {row[name]}" for name in varied), *texts])
