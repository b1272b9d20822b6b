{{ config(materialized='incremental', unique_key='id', on_schema_change='append_new_columns') }}
select id, customer, state, placed, md5(id::text || state) as fingerprint {% if var('more', false) %}, 1 as extra {% endif %}
from {{ ref('orders') }}
{% if is_incremental() %} where placed >= (select max(placed) from {{ this }}) - interval '30 days' {% endif %}
