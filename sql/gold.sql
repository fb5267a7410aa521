-- silver_share_electricity -> gold_shw_share, for a SQL warehouse.
-- Parameters: catalog and schema, first_entity and last_entity, between which gold is computed anew, and loaded_until,
-- the newest load that silver has, in microseconds. The last three are what the task silver says (renewables/gold.py).

CREATE TABLE IF NOT EXISTS IDENTIFIER(:catalog || '.' || :schema || '.gold_shw_share') (
  entity STRING COMMENT 'Country or region',
  code STRING COMMENT 'ISO 3166-1 alpha-3 or OWID code, null for regions without',
  year INT COMMENT 'Year',
  hydro_percent DOUBLE COMMENT 'Percent of electricity from hydro, 0-100, null where not reported',
  solar_percent DOUBLE COMMENT 'Percent of electricity from solar, 0-100, null where not reported',
  wind_percent DOUBLE COMMENT 'Percent of electricity from wind, 0-100, null where not reported',
  shw_percent DOUBLE COMMENT 'Percent from the three together, 0-100, null unless all three are known'
) USING DELTA
COMMENT 'Share of electricity from hydro, solar and wind (SHW), one row per entity and year'
-- An engine then marks the rows that are replaced, and leaves the files with others as they are.
TBLPROPERTIES ('delta.enableDeletionVectors' = 'true');

INSERT INTO IDENTIFIER(:catalog || '.' || :schema || '.gold_shw_share')
REPLACE WHERE entity BETWEEN :first_entity AND :last_entity
SELECT
  entity,
  code,
  year,
  hydro_percent,
  solar_percent,
  wind_percent,
  -- A sum with a null is null: missing is not zero.
  hydro_percent + solar_percent + wind_percent AS shw_percent
FROM (
  SELECT
    entity,
    max(code) AS code,
    year,
    max(percent) FILTER (WHERE source = 'hydro') AS hydro_percent,
    max(percent) FILTER (WHERE source = 'solar') AS solar_percent,
    max(percent) FILTER (WHERE source = 'wind') AS wind_percent
  FROM IDENTIFIER(:catalog || '.' || :schema || '.silver_share_electricity')
  WHERE percent IS NOT NULL AND entity BETWEEN :first_entity AND :last_entity
  GROUP BY entity, year
) AS by_year;

-- Gold has what silver changed until then. A run that stops before this line does the same again.
UPDATE IDENTIFIER(:catalog || '.' || :schema || '.revisions_share_electricity')
SET is_in_gold = true
WHERE _loaded_at <= timestamp_micros(CAST(:loaded_until AS BIGINT)) AND NOT coalesce(is_in_gold, false);
