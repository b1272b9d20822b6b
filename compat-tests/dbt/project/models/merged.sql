{{ config(materialized='incremental', unique_key=['id'], incremental_strategy='merge') }}
select id, state, amount from {{ ref('orders') }}
