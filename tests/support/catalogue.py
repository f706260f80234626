"""A database's schema as text, one line for each thing that PostgreSQL's catalogue knows of it."""

from __future__ import annotations

import psycopg

_LINES = """
WITH home AS (SELECT current_schema()::regnamespace::oid AS oid),
relation AS (
    SELECT c.*, relname::text AS name FROM pg_class c JOIN home ON relnamespace = home.oid
)
SELECT format('schema %s %s', nspname, nspacl) AS line
FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
UNION ALL
SELECT format('extension %s %s', extname, extversion) FROM pg_extension
UNION ALL
SELECT format('relation %s kind %s persistence %s method %s options %s rows secured %s %s'
              ' replica identity %s privileges %s of %s comment %s',
              name, relkind, relpersistence, amname, reloptions, relrowsecurity,
              relforcerowsecurity, relreplident, relacl, pg_get_userbyid(relowner),
              obj_description(relation.oid, 'pg_class'))
FROM relation LEFT JOIN pg_am ON pg_am.oid = relam
UNION ALL
SELECT format('column %s %s %s %s not null %s identity %s generated %s default %s collation %s'
              ' storage %s compression %s statistics %s options %s privileges %s comment %s',
              name, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
              format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
              pg_get_expr(adbin, adrelid), attcollation::regcollation, attstorage, attcompression,
              coalesce(attstattarget, -1), attoptions, attacl,
              col_description(attrelid, attnum))
FROM pg_attribute JOIN relation ON relation.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT format('constraint %s of %s %s valid %s deferrable %s %s comment %s', conname, name,
              pg_get_constraintdef(pg_constraint.oid), convalidated, condeferrable, condeferred,
              obj_description(pg_constraint.oid, 'pg_constraint'))
FROM pg_constraint JOIN relation ON relation.oid = conrelid
UNION ALL
SELECT format('index %s of %s valid %s ready %s clustered %s identity %s',
              pg_get_indexdef(indexrelid), name, indisvalid, indisready, indisclustered,
              indisreplident)
FROM pg_index JOIN relation ON relation.oid = indrelid
UNION ALL
SELECT format('sequence %s %s from %s by %s to %s cycles %s caches %s owned by %s %s', name,
              seqtypid::regtype, seqstart, seqincrement, seqmax, seqcycle, seqcache,
              refobjid::regclass, refobjsubid)
FROM pg_sequence JOIN relation ON relation.oid = seqrelid
LEFT JOIN pg_depend ON objid = seqrelid AND deptype IN ('a', 'i') AND refobjsubid > 0
UNION ALL
SELECT format('function %s privileges %s of %s comment %s', pg_get_functiondef(p.oid), proacl,
              pg_get_userbyid(proowner), obj_description(p.oid, 'pg_proc'))
FROM pg_proc p JOIN home ON pronamespace = home.oid
WHERE prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL
SELECT format('trigger %s enabled %s', pg_get_triggerdef(pg_trigger.oid), tgenabled)
FROM pg_trigger JOIN relation ON relation.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT format('rule %s', pg_get_ruledef(pg_rewrite.oid))
FROM pg_rewrite JOIN relation ON relation.oid = ev_class
UNION ALL
SELECT format('policy %s of %s for %s using %s check %s', polname, name, polcmd,
              pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy JOIN relation ON relation.oid = polrelid
UNION ALL
SELECT format('statistics %s', pg_get_statisticsobjdef(pg_statistic_ext.oid))
FROM pg_statistic_ext JOIN home ON stxnamespace = home.oid
UNION ALL
SELECT format('type %s kind %s base %s not null %s default %s labels %s', typname, typtype,
              typbasetype::regtype, typnotnull, typdefault,
              array(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder))
FROM pg_type t JOIN home ON typnamespace = home.oid WHERE typtype IN ('d', 'e', 'r', 'm')
UNION ALL
SELECT format('default privileges %s %s', defaclobjtype, defaclacl) FROM pg_default_acl
UNION ALL
SELECT format('setting %s', setconfig) FROM pg_db_role_setting JOIN pg_database d
ON d.oid = setdatabase WHERE datname = current_database()
"""


def catalogue(database_url: str) -> str:
    """Equal for two databases exactly when their schemas are: tables with their columns in order,
    defaults, constraints, indexes, storage options, functions with their source, privileges,
    comments."""
    with psycopg.connect(database_url) as connection:
        lines = [line for (line,) in connection.execute(_LINES).fetchall()]
    return "\n".join(sorted(lines))
