"""Upserts the rows as SQLAlchemy's documentation writes it, and prints the seconds.

https://docs.sqlalchemy.org/en/20/dialects/postgresql.html#insert-on-conflict-upsert

Usage: sqlalchemy_upsert.py URL ROWS NUMBERS: the row i has the id (i * 7919 + 13) % NUMBERS.
"""

import sys
import time

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table, create_engine
from sqlalchemy.dialects.postgresql import insert

url, count, numbers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
table = Table(
    "upsert_bench",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sensor", String(50), nullable=False),
    Column("value", Double, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("note", String(50)),
    Column("updated_at", BigInteger, nullable=False),
)
ids = ((i * 7919 + 13) % numbers for i in range(count))
rows = [
    {
        "id": id,
        "sensor": f"sensor-{id % 1000:05}",
        "value": id * 0.5,
        "quality": id % 7,
        "note": f"note on {id}" if id % 3 == 0 else None,
        "updated_at": 1_700_000_000 + id,
    }
    for id in ids
]
statement = insert(table)
updated = ["sensor", "value", "quality", "note", "updated_at"]
statement = statement.on_conflict_do_update(
    index_elements=[table.c.id],
    set_={name: statement.excluded[name] for name in updated},
)
with create_engine(url.replace("postgres://", "postgresql+psycopg2://")).connect() as connection:
    connection.exec_driver_sql("SELECT 1")
    start = time.perf_counter()
    connection.execute(statement, rows)
    connection.commit()
    print(time.perf_counter() - start)
