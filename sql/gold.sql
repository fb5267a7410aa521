-- silver_share_electricity -> gold_shw_share, for a SQL warehouse. Parameters: catalog, schema.

CREATE TABLE IF NOT EXISTS IDENTIFIER(:catalog || '.' || :schema || '.gold_shw_share') (
  entity STRING COMMENT 'Country or region',
  code STRING COMMENT 'ISO 3166-1 alpha-3 or OWID code, null for regions without',
  year INT COMMENT 'Year',
  hydro_percent DOUBLE COMMENT 'Percent of electricity from hydro, 0-100, null where not reported',
  solar_percent DOUBLE COMMENT 'Percent of electricity from solar, 0-100, null where not reported',
  wind_percent DOUBLE COMMENT 'Percent of electricity from wind, 0-100, null where not reported',
  shw_percent DOUBLE COMMENT 'Percent from the three together, 0-100, null unless all three are known'
) USING DELTA
COMMENT 'Share of electricity from hydro, solar and wind (SHW), one row per entity and year';

INSERT OVERWRITE IDENTIFIER(:catalog || '.' || :schema || '.gold_shw_share')
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
  WHERE percent IS NOT NULL
  GROUP BY entity, year
) AS by_year;
