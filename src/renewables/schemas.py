"""The Delta tables that the wheel writes: their columns, types and comments, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from renewables.errors import OtherColumnType


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    comment: str

    @property
    def ddl(self) -> str:
        return f"{self.name} {self.type} COMMENT {literal(self.comment)}"


_TYPES: dict[str, DataType] = {
    "STRING": StringType(),
    "INT": IntegerType(),
    "BIGINT": LongType(),
    "DOUBLE": DoubleType(),
    "TIMESTAMP": TimestampType(),
    "BOOLEAN": BooleanType(),
    "ARRAY<STRING>": ArrayType(StringType()),
}


@dataclass(frozen=True)
class Table:
    name: str
    comment: str
    columns: tuple[Column, ...]
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def struct(self) -> StructType:
        """Its columns, without their comments."""
        return StructType([StructField(c.name, _TYPES[c.type]) for c in self.columns])

    def ddl(self, full_name: str) -> str:
        """CREATE TABLE IF NOT EXISTS for a table of this shape."""
        columns = ",\n  ".join(column.ddl for column in self.columns)
        pairs = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in self.properties)
        properties = f"\nTBLPROPERTIES ({pairs})" if pairs else ""
        return (
            f"CREATE TABLE IF NOT EXISTS {full_name} (\n  {columns}\n) USING DELTA\n"
            f"COMMENT {literal(self.comment)}{properties}"
        )


LINEAGE = (
    Column(
        "source",
        "STRING",
        "What generates the electricity: hydro, solar or wind; null for a file that does not say",
    ),
    Column("_source_file", "STRING", "URI of the file that the row came with"),
    Column(
        "_content_hash", "STRING", "SHA-256 of that file, which is its name in the landing volume"
    ),
    Column("_source_modified_at", "TIMESTAMP", "When the source last changed that file"),
    Column("_loaded_at", "TIMESTAMP", "When the row was appended to bronze; one value per load"),
)
"""What is known of a row in each table; newest is the row with the latest `_source_modified_at`, then `_loaded_at`."""

_RAW = (
    Column("entity", "STRING", "Country or region, as in the file"),
    Column("code", "STRING", "Code of the entity, as in the file"),
    Column("year", "STRING", "Year, as in the file"),
    Column("percent", "STRING", "Percent of electricity generated, as in the file"),
    Column(
        "_position",
        "BIGINT",
        "Order of the row in its file: it rises, not always by one; null for a file as a whole",
    ),
)

BRONZE = Table(
    "bronze_share_electricity",
    "Rows of all landed files, unchanged, each content once",
    (*_RAW, *LINEAGE, Column("_run_id", "STRING", "Run of the ingest job that loaded the row")),
    # Two loads at once must exclude each other; under Databricks' default, writes that only add may not.
    (("delta.isolationLevel", "Serializable"),),
)

SILVER = Table(
    "silver_share_electricity",
    "Value per entity, year and source: the valid rows of the newest file on each entity and source",
    (
        Column("entity", "STRING", "Country or region"),
        Column("code", "STRING", "ISO 3166-1 alpha-3 or OWID code; null for regions without"),
        Column("year", "INT", "Year"),
        Column(
            "percent", "DOUBLE", "Percent of electricity generated, 0-100; null where not known"
        ),
        *LINEAGE,
    ),
    # A revision then marks the rows that it replaces, and no file is written anew.
    (("delta.enableDeletionVectors", "true"),),
)

QUARANTINE = Table(
    "quarantine_share_electricity",
    "Rows that break a rule and files that do not fit, unchanged, with the reasons",
    (
        *_RAW,
        Column(
            "reasons",
            "ARRAY<STRING>",
            "Names of the rules that the row breaks; for a file that was rejected as a whole, what is wrong with it",
        ),
        *LINEAGE,
    ),
    BRONZE.properties,
)

REVISIONS = Table(
    "revisions_share_electricity",
    "Files that silver has read, and what became of their rows",
    (
        *LINEAGE,
        Column("rows_read", "BIGINT", "Rows of the file in bronze"),
        Column("rows_kept", "BIGINT", "Rows that break no rule by themselves"),
        Column("rows_quarantined", "BIGINT", "Rows that break a rule by themselves"),
        Column(
            "leaves_nothing",
            "BOOLEAN",
            "True once silver was brought to the file's load and has no row of that load",
        ),
        Column(
            "first_entity",
            "STRING",
            "First in the alphabet of the entities that changed with the load; null for all entities",
        ),
        Column("last_entity", "STRING", "Last of them; null for all entities"),
        Column("is_in_gold", "BOOLEAN", "True once gold has what the load changed"),
    ),
    BRONZE.properties,
)

TABLES = (BRONZE, SILVER, QUARANTINE, REVISIONS)


@dataclass(frozen=True)
class Schema:
    """A Unity Catalog schema."""

    catalog: str
    name: str

    def table(self, table: Table | str) -> str:
        """The full name of a table in this schema, quoted for SQL."""
        name = table if isinstance(table, str) else table.name
        return f"{self.full_name}.{_quoted(name)}"

    @property
    def full_name(self) -> str:
        return f"{_quoted(self.catalog)}.{_quoted(self.name)}"

    def create(self, spark: SparkSession, table: Table) -> str:
        """The full name of a table that is created if it does not exist, and gets the columns that it lacks.

        Raises OtherColumnType.
        """
        full_name = self.table(table)
        try:
            there = dict(spark.table(full_name).dtypes)
        except AnalysisException:
            spark.sql(table.ddl(full_name))
            return full_name
        missing = [column for column in table.columns if column.name not in there]
        for column in table.columns:
            if column not in missing and there[column.name] != column.type.lower():
                raise OtherColumnType(
                    f"{full_name} has {column.name} as {there[column.name]}, and the pipeline writes "
                    f"{column.type.lower()}: rename that table, and the pipeline creates its own."
                )
        if missing:
            _add(spark, full_name, missing)
        return full_name


def _add(spark: SparkSession, full_name: str, columns: list[Column]) -> None:
    """Add columns to a Delta table; a row that is there has null in them."""
    # ALTER TABLE ADD COLUMNS says so plainly, but Sail has none.
    empty = spark.createDataFrame([], ", ".join(column.ddl for column in columns))
    added = empty.write.format("delta").mode("append").option("mergeSchema", "true")
    added.saveAsTable(full_name)


@dataclass(frozen=True)
class Tables:
    """The full names of the tables that silver reads and writes."""

    bronze: str
    silver: str
    quarantine: str
    revisions: str

    @classmethod
    def of(cls, schema: Schema) -> Tables:
        return cls(*(schema.table(table) for table in TABLES))

    @classmethod
    def create(cls, spark: SparkSession, schema: Schema) -> Tables:
        """Those that do not exist are created. Raises OtherColumnType."""
        return cls(*(schema.create(spark, table) for table in TABLES))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """The text as a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
