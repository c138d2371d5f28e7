"""What a session and those that it launched have spent together, and what is left of its limit for others."""

from __future__ import annotations

from hldctl.store.connection import execute

# Of a row of `sessions`: what was recorded, and the estimate since the last result.
_SPENT = (
    "((SELECT total(cost_usd) FROM spending WHERE session_id = sessions.id)"
    " + (SELECT total(value) FROM json_each(fold_state, '$.estimated_usd')) + coalesce(deleted_launched_usd, 0))"
)
_TREE = f"""
WITH RECURSIVE tree(id) AS (SELECT ?1 UNION SELECT sessions.id FROM tree JOIN sessions ON launched_by = tree.id)
SELECT total({_SPENT}) FROM tree JOIN sessions USING (id)
"""
# One that has not ended may spend its own limit, which includes those that it launched.
_COMMITTED = f"""
WITH RECURSIVE counted(id) AS (
    SELECT id FROM sessions WHERE launched_by = ?1
    UNION SELECT child.id FROM counted JOIN sessions AS parent USING (id) JOIN sessions AS child
    ON child.launched_by = parent.id WHERE parent.completed_at IS NOT NULL
)
SELECT total(iif(completed_at IS NULL, max(coalesce(max_budget_usd, 0), {_SPENT}), {_SPENT}))
FROM counted JOIN sessions USING (id)
"""


def budget_left(session_id: str) -> float | None:
    """Return what a session may give to another one, in US dollars; None if it has no limit. Needs a transaction.

    That is its limit without what it has spent, and without what others that it launched have spent or may spend.
    """
    row = execute(f"SELECT max_budget_usd, {_SPENT} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None or row[0] is None:
        return None
    return float(row[0] - row[1] - _committed(session_id))


def is_overspent(session_id: str) -> bool:
    """Return whether a session and those that it launched have spent its limit; False if it launched none."""
    query = (
        "SELECT max_budget_usd FROM sessions WHERE id = ? AND max_budget_usd IS NOT NULL AND"
        " (deleted_launched_usd IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM sessions AS child WHERE child.launched_by = sessions.id))"
    )
    row = execute(query, (session_id,)).fetchone()
    return row is not None and execute(_TREE, (session_id,)).fetchone()[0] >= row[0]


def keep_spending(session_id: str) -> None:
    """Add what a session that will be deleted has spent, and given to others, to its launcher. Needs a transaction."""
    row = execute(f"SELECT launched_by, {_SPENT} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is not None and row[0] is not None:
        execute(
            "UPDATE sessions SET deleted_launched_usd = coalesce(deleted_launched_usd, 0) + ? WHERE id = ?",
            (row[1] + _committed(session_id), row[0]),
        )


def _committed(session_id: str) -> float:
    return float(execute(_COMMITTED, (session_id,)).fetchone()[0])
