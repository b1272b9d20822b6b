{{ config(materialized='ephemeral') }}
select id, upper(name) as loud from {{ ref('customers') }}
