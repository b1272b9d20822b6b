SET search_path = '';
SELECT 'customer', * FROM shop.customer ORDER BY id;
SELECT 'order', * FROM shop.orders ORDER BY id;
SELECT 'by state', state, id FROM shop.orders ORDER BY state, id;
SELECT 'line', * FROM public.line ORDER BY 2, 3;
SELECT 'open', * FROM shop.open_orders ORDER BY id;
SELECT 'by_state', * FROM public.by_state ORDER BY state;
SELECT 'of', id, total::numeric(10,2) FROM public.orders_of(100) ORDER BY 2;
SELECT 'moods', * FROM public.moods();
SELECT 'ticket', last_value FROM public.ticket;
SELECT 'orders_id_seq', last_value FROM shop.orders_id_seq;
SELECT 'type', t.typname, e.enumlabel FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
    ORDER BY t.typname COLLATE "C", e.enumsortorder;
SELECT 'column', table_schema, table_name, column_name, data_type, udt_name, is_nullable, is_identity, is_generated
    FROM information_schema.columns WHERE table_schema IN ('shop', 'public')
    ORDER BY table_schema COLLATE "C", table_name COLLATE "C", ordinal_position;
SELECT 'constraint', conrelid::regclass, conname, contype, condeferrable, condeferred, confupdtype, confdeltype
    FROM pg_catalog.pg_constraint WHERE connamespace IN ('shop'::regnamespace, 'public'::regnamespace)
    ORDER BY conrelid::regclass::text COLLATE "C", conname COLLATE "C";
SELECT 'index', schemaname, tablename, indexname FROM pg_catalog.pg_indexes WHERE schemaname IN ('shop', 'public')
    ORDER BY indexname COLLATE "C";
SELECT 'comment', obj_description('shop'::regnamespace, 'pg_namespace'), obj_description('shop.state'::regtype, 'pg_type'),
    obj_description('shop.customer'::regclass, 'pg_class'), col_description('shop.customer'::regclass, 3),
    obj_description('public.ticket'::regclass, 'pg_class'), obj_description('shop.open_orders'::regclass, 'pg_class');
SELECT 'right', has_schema_privilege('dump_reader', 'shop', 'USAGE'), has_table_privilege('dump_reader', 'shop.customer', 'SELECT'),
    has_table_privilege('dump_reader', 'shop.orders', 'SELECT'), has_column_privilege('dump_reader', 'shop.orders', 'total', 'UPDATE WITH GRANT OPTION'),
    has_sequence_privilege('dump_reader', 'public.ticket', 'USAGE'), has_type_privilege('dump_reader', 'shop.state', 'USAGE'),
    has_function_privilege('dump_reader', 'public.moods()', 'EXECUTE');
