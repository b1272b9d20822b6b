select * from {{ ref('totals') }} where total > {{ var('limit', 15) }} order by total desc
