{% snapshot stamped %}
{{ config(target_schema='compat_dbt', unique_key='id', strategy='timestamp', updated_at='placed', hard_deletes='invalidate') }}
select id, state, placed from {{ ref('orders') }}
{% endsnapshot %}
