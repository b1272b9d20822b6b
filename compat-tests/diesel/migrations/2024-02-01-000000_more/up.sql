ALTER TABLE customers ADD COLUMN born DATE;
CREATE INDEX orders_by_customer ON orders (customer_id);
