"""Shares corrected for the annotator's errors by gold labels. Pure.

Open `corrected` first. Gold labels are one table, see `GOLD`: papers drawn at random within strata,
with known probabilities, and read whole by people who did not see what the annotator says.
"""

from __future__ import annotations

import pyarrow as pa

# One row a paper, dataset and role that people judged. A gold paper was read whole, so that what
# has no row is not in it; one in which nothing was found has one row, without dataset and role.
GOLD = pa.schema(
    [
        pa.field("work_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string()),
        pa.field("role", pa.string()),
        pa.field("truth", pa.bool_()),  # the paper uses this dataset in this role; null as dataset
        pa.field("stratum", pa.string(), nullable=False),  # in which the paper was drawn
        pa.field("probability", pa.float64(), nullable=False),  # with which it was drawn, (0, 1]
    ]
)
