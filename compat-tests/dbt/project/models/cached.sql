{{ config(materialized='materialized_view') }}
select state, count(*) as n from {{ ref('orders') }} group by state
