{{ config(materialized='table', indexes=[{'columns': ['customer'], 'unique': true}], post_hook="analyze {{ this }}") }}
select c.id as customer, c.name, count(o.id) as orders, coalesce(sum(o.amount), 0) as total,
       {{ dbt.datediff("min(c.joined)", "max(o.placed)", "day") }} as days
from {{ ref('customers') }} c left join {{ ref('orders') }} o on o.customer = c.id
group by 1, 2
