{{ config(contract={'enforced': true}, materialized='table') }}
select id::int as id, loud::text as loud from {{ ref('inner_part') }}
