"""Files in quarantine as a whole, and their way out of it once the pipeline knows their measure.

Whether the rows of a file are whole does not change, so it is not looked at again. Whether its header
fits does change, when MEASURES learns another name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from renewables.append import held_hashes
from renewables.errors import UnfitFile
from renewables.inspection import read_header
from renewables.landing import UNFIT, LandedFile


def rejected_hashes(spark: SparkSession, quarantine: str, files: Iterable[LandedFile]) -> set[str]:
    """The content hashes of those files that quarantine has as a whole."""
    rows = spark.table(quarantine).where(F.col("_position").isNull())
    return set(held_hashes(rows, [file.content_hash for file in files]))


def fits_by_now(file: LandedFile) -> bool:
    """Whether the file's header, which fitted no source when it landed, fits one now."""
    if file.path.parent.name != UNFIT:
        return False
    try:
        read_header(file.path, file.source_file)
    except UnfitFile:
        return False
    return True


def withdraw(spark: SparkSession, quarantine: str, content_hashes: Collection[str]) -> None:
    """Remove the rejections of these files from quarantine: bronze has them."""
    if content_hashes:
        hashes = ", ".join(f"'{content_hash}'" for content_hash in sorted(content_hashes))
        spark.sql(
            f"DELETE FROM {quarantine} WHERE _position IS NULL AND _content_hash IN ({hashes})"
        )
