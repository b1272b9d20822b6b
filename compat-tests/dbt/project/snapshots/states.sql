{% snapshot states %}
{{ config(target_schema='compat_dbt', unique_key='id', strategy='check', check_cols=['state']) }}
select id, state from {{ ref('orders') }}
{% endsnapshot %}
